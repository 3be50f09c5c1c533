// Says to readers of all kinds what the theme leaves out; then draws the diagrams, in the colours of
// the page, and again when the reader changes them.
(() => {
  const each = (selector, change) => document.querySelectorAll(selector).forEach(change);
  each("p.caption[role=heading]", (e) => e.setAttribute("aria-level", "2"));
  each("aside.sidebar-drawer", (e) => e.setAttribute("aria-label", "All pages"));
  each("aside.toc-drawer", (e) => e.setAttribute("aria-label", "On this page"));
  each("th", (e) => { // a table whose columns need no name
    if (!e.textContent.trim()) e.replaceWith(document.createElement("td"));
  });
  // What scrolls is reached with the keyboard. What does not is no stop on the way.
  const reach = () => each("article *", (e) => {
    const { overflowX, overflowY } = getComputedStyle(e);
    const scrolls = (way) => way === "auto" || way === "scroll";
    const hides = (scrolls(overflowX) && e.scrollWidth > e.clientWidth) || (scrolls(overflowY) && e.scrollHeight > e.clientHeight);
    if (hides && !e.hasAttribute("tabindex")) {
      e.tabIndex = 0;
      e.dataset.reached = "";
    } else if (!hides && "reached" in e.dataset) {
      e.removeAttribute("tabindex");
      delete e.dataset.reached;
    }
  });
  reach();
  for (const moment of ["load", "resize"]) window.addEventListener(moment, reach);
  document.addEventListener("toggle", reach, true); // a folded part is opened

  const sources = new Map();
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  const isDark = () => {
    const chosen = document.body.dataset.theme;
    return chosen === "dark" || (chosen !== "light" && dark.matches);
  };

  const draw = async () => {
    // Mermaid's own words beside an arrow in the dark are too faint.
    const colours = isDark() ? { themeVariables: { edgeLabelBackground: "#2b2b2b" } } : {};
    mermaid.initialize({ startOnLoad: false, theme: isDark() ? "dark" : "neutral", ...colours });
    for (const place of document.querySelectorAll("pre.mermaid")) {
      if (!sources.has(place)) sources.set(place, place.textContent);
      place.removeAttribute("data-processed");
      place.textContent = sources.get(place);
    }
    await mermaid.run({ querySelector: "pre.mermaid" });
    each("pre.mermaid svg", (e) => { // on a phone it scrolls, before its words become too small
      e.style.minWidth = `${0.7 * e.viewBox.baseVal.width}px`;
    });
    reach();
    document.body.dataset.diagrams = "drawn";
  };

  if (document.querySelector("pre.mermaid")) {
    draw();
    dark.addEventListener("change", draw);
    new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-theme"] });
  }
})();
