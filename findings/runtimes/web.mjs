// node web.mjs DIST MODEL C,H,W IMAGES...: the logits and warped images of each file of images, in IMAGES.out.
import { readFileSync, writeFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const [dist, model, shape, ...files] = process.argv.slice(2);
const ort = await import(pathToFileURL(`${dist}/ort.wasm.min.mjs`).href);
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmBinary = readFileSync(`${dist}/ort-wasm-simd-threaded.wasm`);
const sizes = shape.split(",").map(Number);
const session = await ort.InferenceSession.create(readFileSync(model));
for (const file of files) {
  const values = new Float32Array(new Uint8Array(readFileSync(file)).buffer);
  const image = new ort.Tensor("float32", values, [values.length / sizes.reduce((a, b) => a * b), ...sizes]);
  const { logits, warped } = await session.run({ image });
  writeFileSync(`${file}.out`, Buffer.from(new Float32Array([...logits.data, ...warped.data]).buffer));
}
