// Asks the browser for a passkey and sends its answer with the page's own form. Nothing else runs here.
"use strict";

function bytes(text) {
  const base64 = text.replace(/-/g, "+").replace(/_/g, "/");
  return Uint8Array.from(atob(base64), (sign) => sign.charCodeAt(0));
}

function text(buffer) {
  if (!buffer) return null;
  const base64 = btoa(String.fromCharCode(...new Uint8Array(buffer)));
  return base64.replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
}

function opened(options) {
  options.challenge = bytes(options.challenge);
  if (options.user) options.user.id = bytes(options.user.id);
  for (const list of ["excludeCredentials", "allowCredentials"]) {
    for (const known of options[list] || []) known.id = bytes(known.id);
  }
  return options;
}

function closed(credential) {
  const given = credential.response;
  const response = { clientDataJSON: text(given.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (given[name]) response[name] = text(given[name]);
  }
  const { id, type } = credential;
  return JSON.stringify({ id, rawId: text(credential.rawId), type, response, clientExtensionResults: {} });
}

const form = document.getElementById("passkey");
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const publicKey = opened(JSON.parse(form.dataset.options));
  try {
    const credential = await navigator.credentials[form.dataset.deed]({ publicKey });
    form.elements.credential.value = closed(credential);
    form.submit();
  } catch {
    document.getElementById("passkey-failed").hidden = false;
  }
});
