// Classify pictures in a browser with a file from `darter export --with-preprocessing`.
// `ort` is onnxruntime-web; index.html loads it.

/** Make a model ready: its session and the names of its classes. */
export async function load(ort, modelUrl, classes) {
  const session = await ort.InferenceSession.create(modelUrl, { executionProviders: ["wasm"] });
  return { ort, session, classes };
}

/** The upright pixels of a picture file as RGB bytes, without color management. */
export async function decode(blob) {
  const bitmap = await createImageBitmap(blob, {
    imageOrientation: "from-image",
    colorSpaceConversion: "none",
    premultiplyAlpha: "none",
  });
  const { width, height } = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white"; // what transparency shows
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, width, height);
  const rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; from < data.length; from += 4) {
    rgb[to++] = data[from];
    rgb[to++] = data[from + 1];
    rgb[to++] = data[from + 2];
  }
  return { rgb, width, height };
}

/** What is in a picture: [{ label, probability }, …], the likeliest first. */
export async function classify(model, blob) {
  const { rgb, width, height } = await decode(blob);
  const pixels = new model.ort.Tensor("uint8", rgb, [height, width, 3]);
  const { probabilities } = await model.session.run({ pixels });
  return Array.from(probabilities.data, (probability, k) => ({ label: model.classes[k], probability }))
    .sort((a, b) => b.probability - a.probability);
}
