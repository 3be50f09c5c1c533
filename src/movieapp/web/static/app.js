// What htmx does not: the clock of a playing movie, the dialog, drafts, and how often the panel looks.
"use strict";

const $ = (selector, from = document) => from.querySelector(selector);
const worked = ({ xhr }) => xhr.status >= 200 && xhr.status < 400; // to htmx a 503 that is shown is a success, too
const dialog = $("#dialog");
const SPEED = 60; // seconds of a movie that pass in one second
const playing = new Map(); // movie's form id → seconds at the start, and when that was

// What cannot be pressed now keeps the focus, which the attribute `disabled` would take from it.
document.addEventListener("click", (event) => {
  if (!event.target.closest("[aria-disabled=true]")) return;
  event.preventDefault();
  event.stopImmediatePropagation();
}, true);

// Play and pause. A pause is sent once: when the button is pressed while the movie plays.
document.addEventListener("click", (event) => {
  const play = event.target.closest(".play");
  if (play) return playing.has(play.form.id) ? pause(play.form) : start(play.form);
  if (event.target.closest("[data-close]")) return dialog.close();
  if (event.target.closest("[data-dismiss]")) return dismiss(event.target.closest(".trouble"));
  const ticket = event.target.closest(".ticket");
  if (ticket) return follow(event, ticket);
  if (event.target.closest("#toggle-fields")) toggleFields();
  if (event.target === dialog && !isTyped()) dialog.close(); // on its backdrop
});

function start(form) {
  playing.set(form.id, { from: Number(form.dataset.seconds), at: performance.now() });
  showPlaying(form);
}

function showPlaying(form) {
  form.classList.add("playing");
  $(".verb", form).textContent = "Pause";
}

function pause(form) {
  form.elements.seconds.value = Math.floor(position(form));
  playing.delete(form.id);
  form.classList.remove("playing");
  form.requestSubmit();
}

function position(form) {
  const { from, at } = playing.get(form.id);
  return Math.min(from + ((performance.now() - at) / 1000) * SPEED, Number(form.dataset.length));
}

setInterval(() => {
  for (const id of playing.keys()) {
    const form = document.getElementById(id);
    if (!form) { playing.delete(id); continue; }
    if (!form.classList.contains("playing")) showPlaying(form); // its card was drawn anew
    const seconds = Math.floor(position(form));
    const two = (number) => String(number).padStart(2, "0");
    $(".clock", form).textContent =
      `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
    $("progress", form).value = seconds;
  }
}, 250);

// A pause that could not be saved stays where it was: the next press sends it again.
// (`detail.elt` is a parent when the answer has replaced the form; the request knows who sent it.)
document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  const form = detail.requestConfig.elt;
  if (!form.matches(".watch") || worked(detail)) return;
  form.dataset.seconds = form.elements.seconds.value;
  start(form);
});

// Whoever waits for a slow store is told that it is the store they wait for.
const waiting = new Map(); // form → its timer, and what its button says otherwise
document.body.addEventListener("htmx:beforeRequest", ({ detail: { elt } }) => {
  const verb = elt.matches(".editor, .question, .watch") && $(".verb", elt);
  if (!verb) return;
  const said = verb.textContent;
  const timer = setTimeout(() => {
    verb.textContent = "Waiting…";
    elt.setAttribute("aria-busy", "true");
    $("#announce").textContent = "Still waiting for the answer.";
  }, 1000);
  waiting.set(elt, { timer, verb, said });
});
document.body.addEventListener("htmx:afterRequest", ({ detail: { requestConfig: { elt } } }) => {
  if (!waiting.has(elt)) return;
  const { timer, verb, said } = waiting.get(elt);
  clearTimeout(timer);
  waiting.delete(elt);
  verb.textContent = said;
  elt.removeAttribute("aria-busy");
});

function follow(event, ticket) {
  const card = document.getElementById(`movie-${ticket.dataset.movie}`);
  event.preventDefault();
  if (card) { card.scrollIntoView({ block: "center" }); return $(".play", card).focus(); }
  $("#q").value = $(".ticket-title", ticket).textContent;
  htmx.trigger("#search", "submit");
}

function toggleFields() {
  const fields = $("#fields"), button = $("#toggle-fields");
  fields.hidden = !fields.hidden;
  button.setAttribute("aria-expanded", String(!fields.hidden));
  if (!fields.hidden) $("input", fields).focus();
}

// A way of writing is sent when the arrow keys have rested on it; the controls are not drawn anew before that.
const RESTS = 300; // milliseconds, as in controls.html
let chosenAt = -RESTS;
document.addEventListener("change", (event) => { if (event.target.name === "mode") chosenAt = performance.now(); });
document.body.addEventListener("htmx:oobBeforeSwap", ({ detail }) => {
  if (detail.target.id === "controls" && performance.now() - chosenAt < RESTS) detail.shouldSwap = false;
});

// The dialog opens when its form has come, and gives the focus back when it closes: a movie that was deleted, to the next.
let neighbour = null;
document.body.addEventListener("htmx:oobBeforeSwap", ({ detail: { target } }) => {
  if (target.matches(".card")) neighbour = target.nextElementSibling ?? target.previousElementSibling;
});
document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (detail.target.id !== "dialog-body") return;
  if (!dialog.open) { restoreDraft(); dialog.showModal(); }
  ($("[aria-invalid]", dialog) || $("#f-title", dialog) || $("button", dialog))?.focus();
});
dialog.addEventListener("close", () => {
  $("#dialog-body").replaceChildren();
});

document.body.addEventListener("close-dialog", ({ detail }) => {
  forgetDraft();
  dialog.close();
  const card = document.getElementById(detail.detail) ?? neighbour;
  (card?.querySelector(".play") ?? $("#movies")).focus();
});

// The list goes on where it was: what was deleted meanwhile has drawn up the rest by one.
let deleted = 0;
document.body.addEventListener("close-dialog", ({ detail }) => { if (!detail.detail) deleted++; });
document.body.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.elt.id === "search") deleted = 0;
  if (!detail.elt.matches(".more")) return;
  const [path, asked] = detail.path.split("?"), parameters = new URLSearchParams(asked);
  parameters.set("offset", Math.max(0, parameters.get("offset") - deleted));
  detail.path = `${path}?${parameters}`;
  deleted = 0;
});

// A movie that was added stands at the top; the list, as it goes on, brings it once more where it belongs.
document.body.addEventListener("htmx:afterSwap", ({ detail }) => {
  if (!detail.requestConfig.elt.matches(".more")) return;
  const seen = new Set();
  for (const card of document.querySelectorAll("#grid .card")) seen.has(card.id) ? card.remove() : seen.add(card.id);
});

// What is typed is kept for this tab: no reload, crash or slip onto Escape loses it; Cancel does. With it goes what
// the form began with, so that a change that somebody made meanwhile is told of.
const draftName = () => $(".editor", dialog) && `draft:${opening()}`;
const opening = () => ($("#dialog-title").textContent.startsWith("Add") ? "new" : $(".editor").dataset.keeps);
const isTyped = () => Boolean($(".editor", dialog)) && Boolean(sessionStorage.getItem(draftName()));

dialog.addEventListener("input", () => {
  const form = $(".editor", dialog);
  if (form) sessionStorage.setItem(draftName(), JSON.stringify({ path: form.getAttribute("hx-post"), pairs: [...new FormData(form)] }));
});
dialog.addEventListener("click", (event) => { if (event.target.closest("[data-close]")) forgetDraft(); });

function forgetDraft() { if ($(".editor", dialog)) sessionStorage.removeItem(draftName()); }

function restoreDraft() {
  const form = $(".editor", dialog);
  const kept = form && sessionStorage.getItem(draftName());
  if (!kept) return;
  const { path, pairs } = JSON.parse(kept);
  form.setAttribute("hx-post", path); // the same new movie: what was sent and never answered is not there twice
  for (const box of form.querySelectorAll("[name=genres]"))
    box.checked = pairs.some(([name, value]) => name === "genres" && value === box.value);
  for (const [name, value] of pairs)
    if (name !== "genres" && form.elements[name]) form.elements[name].value = value;
  $("#told").innerHTML = "<p>Here is what you had typed before.</p>";
}

// Messages. A screen reader hears what was done, once; never the panel's numbers.
let lastTold = 0;
document.body.addEventListener("wrote", ({ detail }) => {
  look();
  const now = Date.now();
  if (now - lastTold > 1500) $("#announce").textContent = detail.detail;
  lastTold = now;
});

function banner(told, advice) {
  const box = $("#trouble").content.cloneNode(true);
  $("strong", box).textContent = told;
  $("p", box).append(` ${advice}`);
  const place = dialog.open ? $("#told", dialog) : $("#banner");
  place.replaceChildren(box);
}

function dismiss(box) {
  box.remove();
  (dialog.open ? $("input:not([type=hidden]), textarea, button", dialog) : $("#movies")).focus();
}

let isAway = false;
for (const name of ["htmx:sendError", "htmx:timeout"])
  document.body.addEventListener(name, ({ detail }) => {
    if (detail.elt.id === "panel" && isAway) return;
    isAway = true;
    banner("The app itself does not answer.", "It may have been stopped: start it again (lab app). What you typed is still here.");
  });
document.body.addEventListener("htmx:responseError", ({ detail }) =>
  banner(`The app answered ${detail.xhr.status}.`, "That should not happen; its terminal says why. What you typed is still here."));
document.body.addEventListener("htmx:afterRequest", ({ detail }) => { // what was told is over when it works again
  if (!worked(detail) || (!isAway && detail.requestConfig.elt.id === "panel")) return;
  if (isAway && dialog.open) $("#told", dialog).replaceChildren();
  isAway = false;
  $("#banner").replaceChildren();
});
document.body.addEventListener("htmx:beforeSwap", ({ detail }) => { // a trouble while the dialog is open is told in it
  if (detail.xhr.status === 503 && dialog.open && detail.target.id !== "dialog-body")
    detail.target = $("#told", dialog);
});

// The panel looks often while a write is under way, seldom otherwise, and never while nobody sees it.
let timer = 0;
function look() {
  clearTimeout(timer);
  if (document.visibilityState === "visible") htmx.trigger("#panel", "look");
  timer = setTimeout(look, 4000);
}
document.body.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.elt.id !== "panel") return;
  const inner = $(".panel-inner"), busy = worked(detail) && inner?.dataset.busy === "yes";
  clearTimeout(timer);
  timer = setTimeout(look, isAway ? 3000 : busy ? 250 : 1500);
});
document.addEventListener("visibilitychange", look);

if (matchMedia("(max-width: 64rem)").matches) $("#drawer").open = false;
addEventListener("load", () => { look(); });

// What sticks below the header has to know how high it is: the form in it opens and wraps.
const header = $(".top");
new ResizeObserver(() => document.documentElement.style.setProperty("--top", `${header.offsetHeight}px`)).observe(header);
