// Draws the diagrams, in the colours of the page, and again when the reader changes them.
(() => {
  const sources = new Map();
  const dark = window.matchMedia("(prefers-color-scheme: dark)");

  const isDark = () => {
    const chosen = document.body.dataset.theme;
    return chosen === "dark" || (chosen !== "light" && dark.matches);
  };

  const draw = async () => {
    mermaid.initialize({ startOnLoad: false, theme: isDark() ? "dark" : "neutral" });
    for (const place of document.querySelectorAll("pre.mermaid")) {
      if (!sources.has(place)) sources.set(place, place.textContent);
      place.removeAttribute("data-processed");
      place.textContent = sources.get(place);
    }
    await mermaid.run({ querySelector: "pre.mermaid" });
    document.body.dataset.diagrams = "drawn";
  };

  if (document.querySelector("pre.mermaid")) {
    draw();
    dark.addEventListener("change", draw);
    new MutationObserver(draw).observe(document.body, { attributeFilter: ["data-theme"] });
  }
})();
