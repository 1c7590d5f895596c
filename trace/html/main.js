// Keyboard, search, folding, light and dark; then everything is drawn.

let current = -1;
let hits = null; // the items that match the search; null: there is no search

const items = () => [...document.querySelectorAll(".item")];

// j and k go from message to message, or from hit to hit.
function step(by) {
  const all = hits || items().filter((n) => n.classList.contains("message"));
  if (!all.length) return;
  const focus = document.activeElement && document.activeElement.closest(".item");
  const at = all.indexOf(focus);
  current = at >= 0 ? at + by : Math.min(Math.max(current + by, 0), all.length - 1);
  const node = all[Math.min(Math.max(current, 0), all.length - 1)];
  for (let up = node.parentElement; up; up = up.parentElement) if (up.tagName === "DETAILS") unfold(up);
  const summary = node.querySelector("summary");
  summary.focus({ preventScroll: true });
  summary.scrollIntoView({ block: "center" });
}

function search(text) {
  const want = text.trim().toLowerCase();
  const digits = want.replace(/[\s:]/g, "");
  const asHex = digits.length >= 4 && digits.length % 2 === 0 && /^[0-9a-f]+$/.test(digits);
  hits = want ? [] : null;
  for (const node of items()) {
    let found = false;
    if (want) {
      node.index = node.index || printable((node.words ? node.words() : [node.textContent]).flat(5).filter(Boolean).join(" \n")).toLowerCase();
      found = node.index.includes(want) || (asHex && node.hex && inHex(node.hex(), digits));
      if (found) hits.push(node);
    }
    node.classList.toggle("hit", found);
    node.classList.toggle("miss", Boolean(want) && !found);
  }
  byId("found").textContent = hits ? plural(hits.length, "place") : "";
  current = -1;
}

// Hex is found at whole bytes only.
function inHex(hex, digits) {
  for (let at = hex.indexOf(digits); at >= 0; at = hex.indexOf(digits, at + 1)) {
    if ((at - hex.lastIndexOf(" ", at) - 1) % 2 === 0) return true;
  }
  return false;
}

function toggleTheme() {
  const dark = document.documentElement.dataset.theme ? document.documentElement.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  setTheme(dark ? "light" : "dark");
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  byId("theme").textContent = theme === "dark" ? "Light" : "Dark";
}

function unfoldAll(on) {
  const folds = items().filter((n) => n.tagName === "DETAILS");
  for (const n of folds.slice(0, 500)) {
    if (on && n.build) n.build();
    n.open = on;
  }
  byId("open").textContent = on ? "Fold all" : "Unfold all";
}

// On paper the messages, steps and checks are unfolded, and folded again afterwards.
let unfoldedForPrint = [];

function beforePrint() {
  unfoldedForPrint = items().filter((n) => n.tagName === "DETAILS" && !n.open && !n.classList.contains("record")).slice(0, 200);
  for (const n of unfoldedForPrint) unfold(n);
}

function keyPressed(e) {
  const typing = e.target.tagName === "INPUT";
  const help = byId("help");
  if (e.key === "Escape" && typing) {
    byId("search").value = "";
    search("");
    byId("search").blur();
    return;
  }
  if (typing && e.key === "Enter") { e.preventDefault(); step(1); return; }
  if (typing || help.open || e.ctrlKey || e.metaKey || e.altKey) return;
  const act = {
    j: () => step(1), k: () => step(-1), n: () => step(1), N: () => step(-1), "?": () => help.showModal(), t: toggleTheme, c: computeAll,
    "/": () => { byId("search").focus(); byId("search").select(); },
  }[e.key];
  if (act) {
    e.preventDefault();
    act();
  }
}

function drawPictures() {
  drawLadder();
  drawSchedule();
}

drawPictures();
drawFlow();
drawSteps();
drawChecks();

if (matchMedia("(prefers-color-scheme: dark)").matches) byId("theme").textContent = "Light";
byId("theme").addEventListener("click", toggleTheme);
byId("all").addEventListener("click", computeAll);
byId("open").addEventListener("click", () => unfoldAll(byId("open").textContent === "Unfold all"));
byId("help-button").addEventListener("click", () => byId("help").showModal());
byId("search").addEventListener("input", (e) => search(e.target.value));
document.addEventListener("keydown", keyPressed);
addEventListener("beforeprint", beforePrint);
addEventListener("afterprint", () => { for (const n of unfoldedForPrint) n.open = false; });
let drawnAt = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === drawnAt) return;
  drawnAt = innerWidth;
  drawPictures();
});

// What is behind the # may ask for more than a place: "compute", "unfold", "dark", "search=…", joined by commas.
for (const wish of decodeURIComponent(location.hash.slice(1)).split(",")) {
  if (wish === "compute") computeAll();
  else if (wish === "unfold") unfoldAll(true);
  else if (wish === "dark" || wish === "light") setTheme(wish);
  else if (wish.startsWith("search=")) { byId("search").value = wish.slice(7); search(wish.slice(7)); }
  else if (wish) goTo(wish);
}
document.documentElement.dataset.drawn = "yes";
