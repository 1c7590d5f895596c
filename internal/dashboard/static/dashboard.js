"use strict";

// Rows are gone through with j and k, and opened with Enter or a click; links and controls in them stay what they are.
(() => {
  const rows = () => Array.from(document.querySelectorAll("tr[data-href]")).filter((r) => r.offsetParent !== null);
  let here = -1;
  let waiting = ""; // for the second key, after g

  const mark = (n) => {
    const all = rows();
    if (all.length === 0) return;
    document.querySelectorAll("tr.here").forEach((r) => r.classList.remove("here"));
    here = Math.max(0, Math.min(all.length - 1, n));
    all[here].classList.add("here");
    all[here].scrollIntoView({ block: "nearest" });
    const link = all[here].querySelector("a");
    if (link) link.focus({ preventScroll: true });
  };

  const go = (selector) => {
    const link = document.querySelector(selector);
    if (link) location.assign(link.href);
  };

  const places = { o: "/", t: "/targets", c: "/certificates", i: "/incidents", a: "/inventory" };

  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    const typing = e.target.closest("input, select, textarea");
    if (e.key === "Escape" && typing) { typing.blur(); return; }
    if (typing) return;
    if (waiting === "g") {
      waiting = "";
      if (places[e.key]) { e.preventDefault(); location.assign(places[e.key]); }
      return;
    }
    switch (e.key) {
      case "j": mark(here + 1); break;
      case "k": mark(here - 1); break;
      case "g": waiting = "g"; setTimeout(() => { waiting = ""; }, 1500); break;
      case "n": go("a[rel=next]"); break;
      case "p": go("a[rel=prev]"); break;
      case "?": location.assign("/help"); break;
      case "/": {
        const field = document.getElementById("q") || document.getElementById("find");
        if (field) { e.preventDefault(); field.focus(); field.select(); }
        break;
      }
    }
  });

  document.addEventListener("click", (e) => {
    const row = e.target.closest("tr[data-href]");
    if (row && !e.target.closest("a, button, input, summary, form") && String(getSelection()) === "") location.assign(row.dataset.href);
  });
})();

// Drawings: days left, and the time of a look. What they show is fetched from the API, and is in a table beside them.
(() => {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const kinds = {
    left: { value: (d) => (d.days_left === undefined ? null : d.days_left), label: "days left", stroke: "--link" },
    took: { value: (d) => d.milliseconds, label: "ms", stroke: "--ok" },
  };
  const drawn = new Map();

  const draw = (figure, days) => {
    const kind = kinds[figure.dataset.plot];
    const axis = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: "11px system-ui, sans-serif" };
    const to = Date.now() / 1000; // the span is always the one that was asked for, however little is known of it
    const old = drawn.get(figure);
    if (old) old.destroy();
    drawn.set(figure, new uPlot({
      width: Math.max(200, figure.clientWidth), height: 190,
      tzDate: (ts) => uPlot.tzDate(new Date(ts * 1e3), "Etc/UTC"),
      scales: { x: { range: () => [to - Number(figure.dataset.days) * 86400, to] }, y: { range: (u, min, max) => [Math.min(0, min), Math.max(1, max * 1.1)] } },
      axes: [axis, { ...axis, size: 48 }],
      series: [{ value: "{YYYY}-{MM}-{DD}" }, { label: kind.label, stroke: colour(kind.stroke), width: 2, spanGaps: false, points: { show: days.length < 60, size: 5 } }],
    }, [days.map((d) => Date.parse(d.day) / 1000), days.map(kind.value)], figure));
    figure.dataset.drawn = "yes";
  };

  const start = () => {
    const loads = new Map(); // both drawings have the same source
    document.querySelectorAll("figure[data-plot]").forEach((figure) => {
      const from = figure.dataset.from;
      if (!loads.has(from)) loads.set(from, fetch(from, { headers: { Accept: "application/json" } }).then((r) => (r.ok ? r.json() : [])));
      loads.get(from).then((days) => {
        draw(figure, days);
        let timer = 0;
        const again = () => { clearTimeout(timer); timer = setTimeout(() => draw(figure, days), 150); };
        addEventListener("resize", again);
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", again);
      }, () => { figure.hidden = true; });
    });
  };
  start();
})();
