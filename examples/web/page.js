// Coordinates are stnkit's: x before y, and [-1, 1] spans the outer edges of the picture.
import { draw, shrink, EXAMPLES } from "./drawing.js";

// `?local` reads the runtime from the folder onnxruntime-web/ beside this file.
const local = new URLSearchParams(location.search).has("local");
const RUNTIME = local
  ? new URL("onnxruntime-web/", import.meta.url).href
  : "https://cdn.jsdelivr.net/npm/onnxruntime-web@1.30.0/dist/";
const WASM = "sha384-vjBJ1z7qrhkTyYsNqKeF6c7N+nOJSU94czEo+tvZcu8G75JparGq9kB+kTnEUNVM";

const $ = (id) => document.getElementById(id);
const canvas = $("drawing");
const turn = $("turn");

// Polylines of points; the slider turns all of them about the center.
let strokes = [];
let session, runtime, channels;
let size = [42, 42];
// The arrays of the last run; `(await import("./page.js")).last` shows them in the console.
export const last = {};

async function load() {
  runtime = await import(RUNTIME + "ort.wasm.bundle.min.mjs");
  const wasm = await fetch(RUNTIME + "ort-wasm-simd-threaded.wasm", { integrity: WASM });
  runtime.env.wasm.wasmBinary = await wasm.arrayBuffer();
  // Threads need headers that a plain file server does not send.
  runtime.env.wasm.numThreads = 1;
  const model = await fetch("digits.onnx");
  if (!model.ok) throw new Error("expected digits.onnx beside this page, got none: README.md has the command");
  session = await runtime.InferenceSession.create(await model.arrayBuffer());
  [, channels, ...size] = session.inputMetadata[0].shape;
}

// One run at a time: a drawing that has changed since it was asked for is left out.
let asked = 0;
let queue = load().catch((error) => { $("verdict").textContent = error.message; });
export function update() {
  draw(canvas, strokes, Number(turn.value), size);
  $("degrees").textContent = `${turn.value}°`;
  const mine = ++asked;
  queue = queue.then(() => session && mine === asked && run());
  return queue;
}

async function run() {
  draw(canvas, strokes, Number(turn.value), size);
  const input = shrink(canvas, channels, size);
  const image = new runtime.Tensor("float32", input, [1, channels, ...size]);
  const outputs = await session.run({ [session.inputNames[0]]: image });
  last.input = input;
  for (const [name, { data }] of Object.entries(outputs)) last[name] = data;
  show(outputs);
}

function show({ logits, warped, theta }) {
  const [, , rows, columns] = warped.dims;
  const picture = new ImageData(columns, rows);
  for (let i = 0; i < rows * columns; i++) {
    for (let c = 0; c < 3; c++) picture.data[4 * i + c] = 255 * warped.data[Math.min(c, channels - 1) * rows * columns + i];
    picture.data[4 * i + 3] = 255;
  }
  Object.assign($("straightened"), { width: columns, height: rows });
  $("straightened").getContext("2d").putImageData(picture, 0, 0);
  $("grid").firstElementChild.setAttribute("d", strokes.length && theta.data.length === 6 ? lines(theta.data) : "");
  const largest = Math.max(...logits.data);
  const powers = [...logits.data].map((logit) => Math.exp(logit - largest));
  const sum = powers.reduce((a, b) => a + b);
  const list = $("scores");
  while (list.children.length < powers.length) {
    list.insertAdjacentHTML("beforeend", `<li><span>${list.children.length}</span><i></i><span></span></li>`);
  }
  powers.forEach((power, k) => {
    const percent = strokes.length ? Math.round((100 * power) / sum) : 0;
    list.children[k].classList.toggle("best", strokes.length > 0 && power === 1);
    list.children[k].children[1].style.setProperty("--share", `${percent}%`);
    list.children[k].lastElementChild.textContent = `${percent} %`;
    if (power === 1) $("verdict").textContent = strokes.length ? `A ${k}, with ${percent} %` : "Draw a digit";
  });
}

// The lines of the output's lattice, mapped to the drawing by θ, the 2×3 matrix row by row.
function lines([a, b, c, d, e, f]) {
  const map = (x, y) => `${a * x + b * y + c} ${d * x + e * y + f}`;
  const places = [-1, -0.5, 0, 0.5, 1];
  return places.map((t) => `M${map(-1, t)}L${map(1, t)}M${map(t, -1)}L${map(t, 1)}`).join("");
}

function point(event) {
  const box = canvas.getBoundingClientRect();
  return [(2 * (event.clientX - box.left)) / box.width - 1, (2 * (event.clientY - box.top)) / box.height - 1];
}

canvas.addEventListener("pointerdown", (event) => {
  canvas.setPointerCapture(event.pointerId);
  if (Number(turn.value)) strokes = [];
  turn.value = 0;
  strokes.push([point(event)]);
  update();
});
canvas.addEventListener("pointermove", (event) => {
  if (!canvas.hasPointerCapture(event.pointerId)) return;
  strokes.at(-1).push(point(event));
  update();
});
turn.addEventListener("input", () => update());
$("clear").addEventListener("click", () => { strokes = []; turn.value = 0; update(); });
$("show-grid").addEventListener("change", (event) => { $("grid").style.display = event.target.checked ? "" : "none"; });
for (const button of document.querySelectorAll("[data-example]")) {
  button.addEventListener("click", () => { strokes = EXAMPLES[button.dataset.example]; update(); });
}

update();
