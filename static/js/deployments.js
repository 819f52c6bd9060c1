/* Pages of trading: how old a price is, open details that stay open, and the markets of the chosen account. */

const AGES = [[86_400, "d"], [3_600, "h"], [60, "min"], [1, "s"]];

/** Say how long ago the instants in `[data-age]` are. */
function showAges(within = document) {
  for (const element of within.querySelectorAll("[data-age]")) {
    const seconds = Math.max(0, Math.round((Date.now() - Date.parse(element.dataset.age)) / 1000));
    const [length, unit] = AGES.find(([size]) => seconds >= size) ?? [1, "s"];
    element.textContent = `, ${Math.floor(seconds / length)} ${unit} ago`;
  }
}

/** Open again in what htmx brought what was open in what it replaced. */
function keepOpen() {
  let open = [];
  document.addEventListener("htmx:oobBeforeSwap", (event) => {
    open = [...event.detail.target.querySelectorAll("details[open][id]")].map((details) => details.id);
  });
  document.addEventListener("htmx:oobAfterSwap", () => {
    for (const id of open) document.getElementById(id)?.setAttribute("open", "");
    showAges();
  });
}

/** Offer only the markets of the chosen account's venue; without this the server refuses the others. */
function followAccount(account, market) {
  const groups = [...market.querySelectorAll("optgroup")];
  const follow = () => {
    const venue = account.selectedOptions[0]?.dataset.venue;
    for (const group of groups) group.hidden = group.disabled = Boolean(venue) && group.label !== venue;
    if (market.selectedOptions[0]?.parentElement.disabled) {
      market.value = groups.find((group) => !group.disabled)?.querySelector("option")?.value ?? "";
    }
  };
  account.addEventListener("change", follow);
  follow();
}

const account = document.querySelector("select[name=account]");
const market = document.querySelector("select[name=market]");
if (account && market) followAccount(account, market);

keepOpen();
showAges();
setInterval(showAges, 1000);
