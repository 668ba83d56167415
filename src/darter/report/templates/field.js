// The receptive field of a chosen layer, drawn on the picture; a click chooses another unit.
const data = JSON.parse(document.getElementById("layers").textContent);
const choice = document.getElementById("layer");
const box = document.getElementById("field");
const unit = document.getElementById("unit");
const heat = document.getElementById("heat");
const words = document.getElementById("sees");
const stage = document.getElementById("stage");
let at = null;

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}

function draw() {
  const layer = data.layers[choice.value];
  const [rows, columns] = layer.units;
  const [row, column] = at || [Math.floor(rows / 2), Math.floor(columns / 2)];
  const top = layer.offset[0] + row * layer.stride[0];
  const left = layer.offset[1] + column * layer.stride[1];
  box.setAttribute("x", left);
  box.setAttribute("y", top);
  box.setAttribute("width", layer.field[1]);
  box.setAttribute("height", layer.field[0]);
  unit.setAttribute("cx", left + layer.field[1] / 2);
  unit.setAttribute("cy", top + layer.field[0] / 2);
  heat.setAttribute("href", at === null && layer.heat ? layer.heat : "");
  heat.style.display = at === null && layer.heat ? "" : "none";
  const middle = at === null ? "The unit in the middle" : `Unit (${row}, ${column})`;
  const effective = at === null && layer.heat ? `; ${layer.half} of what moves it lies in ${layer.core} pixels` : "";
  words.textContent = `${middle} of ${rows} × ${columns} sees ${layer.field[0]} × ${layer.field[1]} pixels${effective}.`;
}

choice.addEventListener("change", () => { at = null; draw(); });
stage.addEventListener("click", (event) => {
  const layer = data.layers[choice.value];
  const place = stage.getBoundingClientRect();
  const pixel = [
    (event.clientY - place.top) / place.height * data.size[0],
    (event.clientX - place.left) / place.width * data.size[1],
  ];
  at = [0, 1].map((axis) => {
    const first = layer.offset[axis] + layer.field[axis] / 2;
    const stride = layer.stride[axis] || 1;
    return clamp(Math.round((pixel[axis] - first) / stride), 0, layer.units[axis] - 1);
  });
  draw();
});
// The page begins with the largest field that fits into the picture, of layers with an effective
// field where there are any.
const heated = data.layers.some((layer) => layer.heat);
const fitting = data.layers
  .map((layer, index) => ({ index, field: layer.field, heat: layer.heat }))
  .filter(({ heat }) => heat || !heated)
  .filter(({ field }) => field.every((side, axis) => side <= data.size[axis]));
const largest = fitting.reduce((a, b) => (b.field[0] * b.field[1] > a.field[0] * a.field[1] ? b : a), fitting[0]);
choice.value = String(largest ? largest.index : 0);
draw();
