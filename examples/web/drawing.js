// Canvas pixels along each pixel of the network's input, and the width of a stroke in pixels of the input.
const SCALE = 8;
const WIDTH = 3;

// Digits of the size in the data set, as polylines.
export const EXAMPLES = {
  2: [[[-0.25, -0.25], [-0.1, -0.42], [0.12, -0.42], [0.24, -0.25], [0.18, -0.05], [-0.28, 0.4], [0.3, 0.4]]],
  4: [[[0, -0.45], [-0.3, 0.1], [0.3, 0.1]], [[0.12, -0.15], [0.1, 0.45]]],
  7: [[[-0.28, -0.4], [0.28, -0.4], [0, 0.42]], [[-0.15, 0.02], [0.25, 0.02]]],
};

// White strokes on black, turned about the center by so many degrees.
export function draw(canvas, strokes, degrees, [height, width]) {
  if (canvas.width !== SCALE * width || canvas.height !== SCALE * height) {
    Object.assign(canvas, { width: SCALE * width, height: SCALE * height });
  }
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "black";
  context.fillRect(0, 0, canvas.width, canvas.height);
  Object.assign(context, { strokeStyle: "white", lineWidth: SCALE * WIDTH, lineCap: "round", lineJoin: "round" });
  const cos = Math.cos((degrees * Math.PI) / 180), sin = Math.sin((degrees * Math.PI) / 180);
  for (const stroke of strokes) {
    context.beginPath();
    for (const [x, y] of [stroke[0], ...stroke]) {
      context.lineTo(((cos * x - sin * y + 1) * canvas.width) / 2, ((sin * x + cos * y + 1) * canvas.height) / 2);
    }
    context.stroke();
  }
}

// The drawing at the size and in the range of the network's input: means of 8×8 pixels, from 0 to 1.
export function shrink(canvas, channels, [height, width]) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const plane = new Float32Array(height * width);
  for (let i = 0; i < data.length / 4; i++) {
    const row = Math.floor(i / canvas.width / SCALE), column = Math.floor((i % canvas.width) / SCALE);
    plane[row * width + column] += data[4 * i] / 255 / SCALE ** 2;
  }
  const input = new Float32Array(channels * plane.length);
  for (let c = 0; c < channels; c++) input.set(plane, c * plane.length);
  return input;
}
