#pragma once

/// What a gallery page looks like and how it behaves, for src/cli/gallery_page.cpp.
namespace svd::cli {

inline constexpr const char* kGalleryStyle = R"css(
:root { color-scheme: light dark; --back: #f4f4f2; --card: #fff; --text: #1c1c1c; --quiet: #5a5a5a;
  --line: #8a8a8a; --accent: #0b57d0; }
@media (prefers-color-scheme: dark) { :root { --back: #161616; --card: #222; --text: #eee;
  --quiet: #b4b4b4; --line: #7a7a7a; --accent: #8ab4f8; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--text); font: 1rem/1.4 system-ui, sans-serif; }
header { position: sticky; top: 0; z-index: 1; padding: .75rem 1rem; background: var(--back);
  border-bottom: 1px solid var(--line); }
h1 { margin: 0 0 .5rem; font-size: 1.2rem; overflow-wrap: anywhere; }
form { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: end; }
label { display: grid; font-size: .85rem; color: var(--quiet); }
input, select, button { font: inherit; padding: .35rem .5rem; min-height: 2.5rem; max-width: 100%;
  color: var(--text); background: var(--card); border: 1px solid var(--line); border-radius: .4rem; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; }
#count { margin: .5rem 0 0; color: var(--quiet); font-size: .85rem; }
main { display: grid; gap: 1rem; padding: 1rem; align-items: start;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); }
.card { background: var(--card); border: 1px solid var(--line); border-radius: .6rem; overflow: hidden; }
.card[hidden] { display: none; }
figure { margin: 0; background: #000; }
video, img { display: block; width: 100%; height: auto; max-height: 70vh; object-fit: contain; }
figure p { margin: 0; padding: 2rem 1rem; color: #eee; text-align: center; }
figure a { color: #8ab4f8; }
h2 { margin: .75rem 1rem .25rem; font-size: 1rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: minmax(6rem, auto) 1fr; gap: .1rem .75rem; margin: .25rem 1rem .75rem;
  font-size: .9rem; }
dt { color: var(--quiet); overflow-wrap: anywhere; }
dd { margin: 0; overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
details { border-top: 1px solid var(--line); }
summary { padding: .5rem 1rem; cursor: pointer; }
@media (max-width: 30rem) { header { position: static; } label { flex: 1 1 100%; } }
)css";

inline constexpr const char* kGalleryScript = R"js(
"use strict";
const main = document.querySelector("main");
const controls = document.querySelector("form").elements;
const count = document.getElementById("count");
const cards = [...document.querySelectorAll(".card")].map((element, place) => {
  const values = new Map();
  for (const cell of element.querySelectorAll("dd")) values.set(cell.dataset.key, cell.textContent);
  return { element, place, values, text: element.textContent.toLowerCase() };
});

function matches(card, word) {
  const equals = word.indexOf("=");
  if (equals < 1) return card.text.includes(word);
  const value = card.values.get(word.slice(0, equals));
  return value !== undefined && value.toLowerCase() === word.slice(equals + 1);
}

function comparison(key) {
  const values = cards.map(card => card.values.get(key)).filter(value => value !== undefined);
  const numbers = values.every(value => value.trim() !== "" && Number.isFinite(Number(value)));
  return (a, b) => {
    const [left, right] = [a.values.get(key), b.values.get(key)];
    if (left === undefined || right === undefined) return 0;
    return numbers ? Number(left) - Number(right) : left.localeCompare(right);
  };
}

function arrange() {
  const words = controls.filter.value.toLowerCase().split(/\s+/).filter(word => word);
  const key = controls.sort.value;
  const compare = key === "" ? (a, b) => a.place - b.place : comparison(key);
  const sign = controls.order.value === "descending" ? -1 : 1;
  const lacks = card => key !== "" && !card.values.has(key);
  const sorted = [...cards].sort((a, b) =>
    lacks(a) - lacks(b) || sign * compare(a, b) || a.place - b.place);
  let shown = 0;
  for (const card of sorted) {
    card.element.hidden = !words.every(word => matches(card, word));
    if (!card.element.hidden) ++shown;
    main.append(card.element);
  }
  count.textContent = `${shown} of ${cards.length} clips`;
}

// The address keeps the view, so that it can be bookmarked.
const names = ["sort", "order", "filter"];
function read_address() {
  const wanted = new URLSearchParams(location.hash.slice(1));
  for (const name of names) {
    const control = controls[name];
    const value = wanted.get(name) ?? "";
    const known = !control.options || [...control.options].some(option => option.value === value);
    if (control.value !== value) control.value = known ? value : control.options[0].value;
  }
  arrange();
}
function write_address() {
  const view = new URLSearchParams();
  for (const name of names) if (controls[name].value !== "") view.set(name, controls[name].value);
  location.replace("#" + view);
}
for (const name of names) controls[name].addEventListener("input", write_address);
addEventListener("hashchange", read_address);
document.querySelector("form").addEventListener("submit", event => event.preventDefault());

let playing = !matchMedia("(prefers-reduced-motion: reduce)").matches;
const visible = new Set();
function play_or_pause(video) {
  if (playing && visible.has(video)) video.play().catch(() => {});
  else video.pause();
}
const watcher = new IntersectionObserver(entries => {
  for (const { target, isIntersecting } of entries) {
    if (isIntersecting) visible.add(target);
    else visible.delete(target);
    play_or_pause(target);
  }
}, { threshold: 0.25 });

function replace_unplayable(video) {
  const link = document.createElement("a");
  link.href = video.src;
  link.download = video.dataset.name;
  link.textContent = "save the file";
  const text = document.createElement("p");
  text.append("This browser does not play this clip: ", link);
  watcher.unobserve(video);
  video.replaceWith(text);
}

const videos = document.querySelectorAll("video");
for (const video of videos) {
  if (video.error) replace_unplayable(video);
  else video.addEventListener("error", () => replace_unplayable(video));
  watcher.observe(video);
}
function show_playing() { controls.play.textContent = playing ? "Pause all" : "Play all"; }
controls.play.hidden = videos.length === 0;
controls.play.addEventListener("click", () => {
  playing = !playing;
  show_playing();
  videos.forEach(play_or_pause);
});
show_playing();
read_address();
)js";

}  // namespace svd::cli
