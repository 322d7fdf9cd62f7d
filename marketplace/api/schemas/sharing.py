"""The profile with which programs that speak Delta Sharing find the exchange."""

from marshmallow import Schema, fields


class DeltaSharingProfile(Schema):
    """A profile file of version 2, in the names of that protocol."""

    share_credentials_version = fields.Integer(required=True, data_key="shareCredentialsVersion")
    type = fields.String(required=True)
    endpoint = fields.String(required=True)
    token_endpoint = fields.String(required=True, data_key="tokenEndpoint")
    client_id = fields.String(required=True, data_key="clientId")
    client_secret = fields.String(required=True, data_key="clientSecret")
    scope = fields.String(required=True)
