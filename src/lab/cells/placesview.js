// The three places side by side, with dots that fly from one to the next as entries move.
const MOST = 24;

function render({ model, el }) {
  el.innerHTML = `
    <style>
      .lab-places { display: grid; grid-template-columns: repeat(3, minmax(0, 1fr)); gap: 2.5em; position: relative; max-width: 46em; padding: .5em 0; font: var(--jp-ui-font-size1, 13px)/1.4 var(--jp-ui-font-family, sans-serif); color: var(--jp-ui-font-color1, currentColor); }
      .lab-places section { border: 1px solid var(--jp-border-color1, #999); border-radius: 8px; padding: .6em .8em; background: var(--jp-layout-color1, transparent); }
      .lab-places h4 { margin: 0; font-size: inherit; } .lab-places b { font-size: 1.7em; font-variant-numeric: tabular-nums; }
      .lab-places p { margin: 0; color: var(--jp-ui-font-color2, inherit); }
      .lab-places .waits { border-color: var(--jp-warn-color1, #c77700); } .lab-places .away { border: 2px dashed var(--jp-error-color1, #b00020); }
      .lab-places i { position: absolute; width: 10px; height: 10px; border-radius: 50%; background: var(--jp-brand-color1, #1976d2); top: 50%; pointer-events: none; }
    </style>
    <div class="lab-places" role="group" aria-label="Redis, stream and MongoDB">
      <section><h4>Redis</h4><b></b><p>movies</p></section>
      <section><h4>Stream</h4><b></b><p></p></section>
      <section><h4>MongoDB</h4><b></b><p>documents</p></section>
    </div>`;
  const root = el.querySelector(".lab-places"), boxes = root.querySelectorAll("section");
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let before = null;

  const fly = (from, count) => {
    if (still.matches) return;
    const start = boxes[from].offsetLeft + boxes[from].offsetWidth - 12, end = boxes[from + 1].offsetLeft;
    for (let number = 0; number < Math.min(count, MOST); number++) {
      const dot = document.createElement("i");
      dot.style.marginTop = `${(number % 5) * 11 - 22}px`;
      root.append(dot);
      const way = [{ left: `${start}px`, opacity: 1 }, { left: `${end}px`, opacity: .3 }];
      dot.animate(way, { duration: 320, delay: number * 22, fill: "backwards", easing: "ease-in-out" }).onfinish = () => dot.remove();
    }
  };

  const draw = () => {
    const now = model.get("now");
    const numbers = [now.keys, now.queued, now.documents];
    boxes.forEach((box, place) => {
      box.querySelector("b").textContent = numbers[place] ?? "no answer";
      box.classList.toggle("away", numbers[place] === null);
    });
    boxes[1].classList.toggle("waits", now.queued > 0);
    boxes[1].querySelector("p").textContent = `wait, ${now.pending ?? 0} of them with a worker`;
    if (before) {
      if (now.queued > before.queued) fly(0, now.queued - before.queued);
      if (now.queued < before.queued) fly(1, before.queued - now.queued);
    }
    before = now;
  };
  model.on("change:now", draw);
  draw();
}
export default { render };
