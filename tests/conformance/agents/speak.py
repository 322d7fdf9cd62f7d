"""Has a client of the Model Context Protocol connect and call tools; prints what came of it as JSON."""

import asyncio
import json
import sys

asked = json.load(sys.stdin)


def told(answer):
    text, *others = answer.content
    links = [{"uri": str(one.uri), "size": one.size} for one in others if one.type == "resource_link"]
    return {"is_error": answer.is_error, "text": text.text, "links": links}


async def with_fastmcp():
    from fastmcp import Client
    from fastmcp.client.transports import StreamableHttpTransport

    headers = {"Authorization": f"Bearer {asked['token']}"} if asked.get("token") else {}
    async with Client(StreamableHttpTransport(asked["url"], headers=headers)) as client:
        tools = [tool.name for tool in await client.list_tools()]
        results = []
        for name, arguments in asked["calls"]:
            answer = await client.call_tool(name, arguments, raise_on_error=False)
            results.append(told(answer))
        return {"tools": tools, "results": results}


async def with_sdk(mode):
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    headers = {"Authorization": f"Bearer {asked['token']}"} if asked.get("token") else {}
    async with (
        httpx2.AsyncClient(headers=headers) as http,
        Client(streamable_http_client(asked["url"], http_client=http), mode=mode) as client,
    ):
        tools = [tool.name for tool in (await client.list_tools()).tools]
        results = []
        for name, arguments in asked["calls"]:
            answer = await client.call_tool(name, arguments)
            results.append(told(answer))
        return {"tools": tools, "results": results}


async def discovered():
    """Find the authorization server as the SDK does, from the 401 of a call on."""
    import httpx2
    from mcp.client.auth.utils import (
        build_protected_resource_metadata_discovery_urls,
        extract_resource_metadata_from_www_auth,
        extract_scope_from_www_auth,
        handle_protected_resource_response,
    )

    call = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": asked["call"]}
    async with httpx2.AsyncClient() as http:
        refused = await http.post(asked["url"], json=call, headers={"Accept": "application/json, text/event-stream"})
        named = extract_resource_metadata_from_www_auth(refused)
        urls = build_protected_resource_metadata_discovery_urls(named, asked["url"])
        found = await handle_protected_resource_response(await http.get(urls[0]))
        return {
            "status": refused.status_code,
            "scope": extract_scope_from_www_auth(refused),
            "urls": urls,
            "resource": str(found.resource),
            "servers": [str(one) for one in found.authorization_servers],
        }


deeds = {
    "fastmcp": with_fastmcp,
    "sdk": lambda: with_sdk("auto"),
    "handshake": lambda: with_sdk("legacy"),
    "discover": discovered,
}
json.dump({"done": asyncio.run(deeds[asked["deed"]]())}, sys.stdout)
