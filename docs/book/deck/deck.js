// Draws the diagrams while all slides can be measured, then makes slides of them.
(async () => {
  mermaid.initialize({ startOnLoad: false, theme: "neutral" });
  await mermaid.run({ querySelector: "pre.mermaid" });
  await Reveal.initialize({
    hash: true, slideNumber: "c/t", transition: "none", center: false, margin: 0.04,
    width: 1280, height: 720, plugins: [RevealNotes],
  });
  document.body.dataset.deck = "ready";
})();
