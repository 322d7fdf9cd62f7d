// A real browser, driven headless: what people do with it, and what axe-core finds on the pages.
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import puppeteer from "puppeteer-core";
import { run } from "./lines.mjs";

const AXE = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PATIENCE = { timeout: 120_000 };
const PASSKEYS = {
  protocol: "ctap2",
  transport: "internal",
  hasResidentKey: true,
  hasUserVerification: true,
  isUserVerified: true,
  automaticPresenceSimulation: true,
};

async function browsing(facts, deed) {
  const args = ["--no-sandbox", "--disable-dev-shm-usage", "--lang=en"];
  const browser = await puppeteer.launch({ executablePath: facts.chromium, args, protocolTimeout: PATIENCE.timeout });
  try {
    const page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE.timeout);
    await page.setViewport({ width: 1100, height: 850 });
    await page.setExtraHTTPHeaders({ "Accept-Language": "en" });
    return await deed(page);
  } finally {
    await browser.close();
  }
}

// Press the button or the link that says this, and wait for the page to which that leads.
async function press(page, words) {
  const said = `normalize-space()="${words}"`;
  const found = await page.waitForSelector(`::-p-xpath(//button[${said}] | //a[${said}])`);
  await Promise.all([page.waitForNavigation(PATIENCE), found.click()]);
  return new URL(page.url()).pathname;
}

function words(page, selector = "main") {
  return page.$eval(selector, (element) => element.innerText);
}

async function signInByPassword(page, facts) {
  await page.type("#email", facts.email);
  await page.type("#password", facts.password);
  return press(page, "Sign in");
}

// Sign in, add a passkey, sign out, and sign in by the passkey.
function passkey(facts) {
  return browsing(facts, async (page) => {
    const session = await page.createCDPSession();
    await session.send("WebAuthn.enable");
    await session.send("WebAuthn.addVirtualAuthenticator", { options: PASSKEYS });
    await page.goto(`${facts.issuer}/sign-in`);
    const entered = await signInByPassword(page, facts);
    await press(page, "Add a passkey (needs JavaScript)");
    await page.$eval("#name", (field) => (field.value = "A virtual one"));
    const added = await press(page, "Continue");
    const listed = await words(page);
    const left = await press(page, "Sign out");
    await page.goto(`${facts.issuer}/sign-in`);
    await press(page, "With a passkey (needs JavaScript)");
    const again = await press(page, "Continue");
    return { entered, added, listed, left, again, allowed: await allowed(page, facts) };
  });
}

// Allow a program what it asks for; returns the query with which the browser comes back to it.
async function allowed(page, facts) {
  let come;
  const query = new Promise((resolve) => (come = resolve));
  const program = createServer((request, response) => {
    const address = new URL(request.url, "http://127.0.0.1");
    if (address.pathname === "/back") come(Object.fromEntries(address.searchParams));
    response.end("Thank you.");
  });
  await new Promise((resolve) => program.listen(0, "127.0.0.1", resolve));
  const redirectUri = `http://127.0.0.1:${program.address().port}/back`;
  await page.goto(`${facts.authorize}&${new URLSearchParams({ redirect_uri: redirectUri })}`);
  await press(page, "Allow");
  const told = { ...(await query), redirect_uri: redirectUri };
  program.close();
  return told;
}

// Link the other provider to who is signed in, sign out, and sign in by it.
function provider(facts) {
  return browsing(facts, async (page) => {
    await page.goto(`${facts.issuer}/sign-in`);
    await signInByPassword(page, facts);
    await press(page, "Link it");
    await page.waitForSelector("input[name=login]");
    await page.type("input[name=login]", facts.login);
    await press(page, "Enter");
    const linked = { at: new URL(page.url()).pathname, says: await words(page) };
    await press(page, "Sign out");
    await page.goto(`${facts.issuer}/sign-in`);
    await press(page, "With the other provider");
    await page.waitForSelector("::-p-xpath(//button[normalize-space()='Sign out'])");
    return { linked, again: new URL(page.url()).pathname, allowed: await allowed(page, facts) };
  });
}

const LOOKS = [
  { language: "ja", width: 1100, scheme: "light" },
  { language: "en", width: 390, scheme: "dark" },
];

// Look at pages in both languages, by day and, on a telephone, by night: what axe-core finds, and a picture of each
// where a folder is named.
function look(facts) {
  return browsing(facts, async (page) => {
    const found = [];
    for (const { name, address, cookies, form } of facts.pages) {
      await page.browserContext().setCookie(...cookies);
      for (const { language, width, scheme } of LOOKS) {
        await page.setExtraHTTPHeaders({ "Accept-Language": language });
        await page.setViewport({ width, height: 850 });
        await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
        let answer = await page.goto(address);
        if (form) [answer] = await Promise.all([page.waitForNavigation(PATIENCE), page.click(`${form} button`)]);
        await page.evaluate(AXE);
        const { violations } = await page.evaluate(() => axe.run());
        const spoken = await page.$eval("html", (element) => element.lang);
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        if (facts.folder) await page.screenshot({ path: `${facts.folder}/${name}-${language}.png`, fullPage: true });
        found.push({ name, language, spoken, status: answer.status(), wide, findings: violations.map(finding) });
      }
      await page.browserContext().deleteCookie(...cookies);
    }
    return found;
  });
}

function finding({ id, impact, nodes }) {
  return { id, impact, where: nodes.map((node) => node.html.slice(0, 200)) };
}

await run({ passkey, provider, look });
