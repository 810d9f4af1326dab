"use strict";
// While the training runs: asks for the page again and again, and changes in this one what differs.
(() => {
  const root = document.documentElement;
  // The last page that came here, saved with this script.
  if (!root.dataset.version) return;
  const EVERY = 700;
  // After so many requests without an answer it is said, and asked for less often.
  const FAILURES = 4;
  const EVERY_WITHOUT_ANSWER = 5000;
  const main = document.getElementById("main");
  // Sections as they came, before the other scripts draw in them.
  const sources = new Map();
  const keep = (section) => sources.set(section.id, section.outerHTML);
  main.querySelectorAll("section").forEach(keep);

  const replace = (selector, fresh) => {
    const [known, other] = [document.querySelector(selector), fresh.querySelector(selector)];
    if (known && other && known.innerHTML !== other.innerHTML) known.replaceChildren(...document.importNode(other, true).childNodes);
  };

  // New values for charts that are there, which keep what is zoomed into and hidden. False if they are others.
  const update = (known, fresh) => {
    const charts = (section) => [...section.querySelectorAll("[data-chart]")];
    const data = (figure) => JSON.parse(figure.querySelector("script").textContent);
    const pairs = charts(fresh).map((figure, index) => [charts(known)[index], figure, data(figure)]);
    const names = ({ title, series }) => JSON.stringify([title, series.map(({ name }) => name)]);
    const isSame = ([figure, , chart]) => figure?.chart && names(figure.chart.chart) === names(chart);
    if (!pairs.length || pairs.length !== charts(known).length || !pairs.every(isSame)) return false;
    for (const [figure, other, chart] of pairs) {
      figure.chart.update(chart);
      figure.querySelector("details table").replaceWith(document.importNode(other.querySelector("details table"), true));
    }
    return true;
  };

  const merge = (fresh) => {
    document.title = fresh.title;
    for (const selector of ["h1", ".subtitle", ".figures", "nav ul", "#warnings", "#progress", "footer"]) replace(selector, fresh);
    let before = null;
    for (const section of [...fresh.querySelectorAll("main > section")].reverse()) {
      const known = document.getElementById(section.id);
      if (!known || (sources.get(section.id) !== section.outerHTML && !update(known, section))) {
        const made = document.importNode(section, true);
        if (known) known.replaceWith(made); else main.insertBefore(made, before);
      }
      keep(section);
      before = document.getElementById(section.id);
    }
    for (const section of main.querySelectorAll("section")) {
      if (!fresh.getElementById(section.id)) section.remove();
    }
    dispatchEvent(new Event("contentchange"));
    return fresh.documentElement.dataset.version;
  };

  let failures = 0;
  // What was there before it was said that there is no answer.
  let before = null;
  const say = (text) => {
    const place = document.querySelector("#progress .text");
    const said = place?.textContent ?? null;
    if (place) place.textContent = text;
    return said;
  };
  const look = async () => {
    try {
      const headers = { "If-None-Match": `"${root.dataset.version}"` };
      const response = await fetch(location.pathname, { headers, cache: "no-store" });
      if (!response.ok && response.status !== 304) throw new Error(`status ${response.status}`);
      if (before !== null) say(before);
      before = null;
      if (response.ok) {
        const version = merge(new DOMParser().parseFromString(await response.text(), "text/html"));
        if (!version) return delete root.dataset.version;
        root.dataset.version = version;
      }
      failures = 0;
    } catch {
      failures += 1;
      if (failures === FAILURES) {
        before = say("The program does not answer: it has ended, or was stopped. This is what it said last.");
      }
    }
    setTimeout(look, failures < FAILURES ? EVERY : EVERY_WITHOUT_ANSWER);
  };
  setTimeout(look, EVERY);
})();
