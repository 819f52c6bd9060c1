/* Small behavior that every page has: the choice of colors, and closing the person's menu after a choice. */

const YEAR_S = 31_536_000;
const root = document.documentElement;

/** Apply `theme` ("system", "light" or "dark") now, and remember it on this device: the server renders the cookie. */
function chooseTheme(theme) {
  root.dataset.theme = theme;
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `theme=${theme}; Path=/; Max-Age=${YEAR_S}; SameSite=Lax${secure}`;
  document.dispatchEvent(new CustomEvent("themechange"));
}

/** Keep `theme` in the person's profile too, so that their next device has it. */
function keepTheme(address, theme) {
  const headers = JSON.parse(document.body.getAttribute("hx-headers"));
  fetch(address, { method: "POST", headers, body: new URLSearchParams({ theme }) });
}

// Tabs that do not fit on a phone begin with the current one in sight.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

for (const themeSwitch of document.querySelectorAll("[data-theme-switch]")) {
  const current = themeSwitch.querySelector(`input[value="${root.dataset.theme}"]`);
  if (current) current.checked = true;
  themeSwitch.hidden = false;
  themeSwitch.addEventListener("change", (event) => {
    chooseTheme(event.target.value);
    if (themeSwitch.dataset.address) keepTheme(themeSwitch.dataset.address, event.target.value);
  });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.dispatchEvent(new CustomEvent("themechange"));
});

/* A fragment that is asked for after the session ended is answered by the sign-in page: leave this page as it is, with
   whatever is being written on it. */
document.addEventListener("htmx:beforeSwap", (event) => {
  const { xhr, requestConfig } = event.detail;
  const answeredBy = new URL(xhr.responseURL || location.href).pathname;
  const asked = new URL(requestConfig.path, location.href).pathname;
  if (requestConfig.verb === "get" && answeredBy !== asked) event.detail.shouldSwap = false;
});
