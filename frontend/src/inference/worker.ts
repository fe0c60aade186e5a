/** The worker: holds the networks, reads one picture after another, touches nothing else. */

import { Classifier } from "./classifier";
import { Detector } from "./detector";
import { describeError, InferenceError } from "./errors";
import { chooseModels, fetchModel } from "./models";
import type { Tensor } from "./network";
import type { Picture } from "./picture";
import type { Choice, FromWorker, ReaderInfo, ToWorker } from "./protocol";
import { Reading, type ReadingSettings } from "./reading";
import { Runtime } from "./runtime";
import { readDetectorSpec, readModelSpec } from "./specs";

interface Scope {
  postMessage(message: FromWorker): void;
  onmessage: ((event: MessageEvent<ToWorker>) => void) | null;
}

const scope = globalThis as unknown as Scope;
/** Side of the picture on which detectors are tried, px. */
const TRIAL_SIDE = 320;

let prepared: { detector: Detector; classifier: Classifier; info: ReaderInfo } | null = null;
let reading: Reading | null = null;
let canvas: OffscreenCanvas | null = null;

scope.onmessage = async ({ data }) => {
  try {
    if (data.type === "start") {
      prepared = await prepare(data.choice);
      begin(data.settings);
      scope.postMessage({ type: "ready", info: prepared.info });
    } else if (data.type === "reset") begin(data.settings);
    else await readFrame(data);
  } catch (error) {
    scope.postMessage({ type: "error", error: describeError(error) });
  }
};

async function prepare({ model, backend }: Choice): Promise<typeof prepared & object> {
  const chosen = await chooseModels(model);
  const entries = [chosen.detector, chosen.classifier];
  const total = entries.reduce((sum, entry) => sum + entry.bytes, 0);
  const arrived = entries.map(() => 0);
  const runtime = Runtime.open(backend); // is fetched at the same time
  const files = await Promise.all(
    entries.map((entry, i) =>
      fetchModel(entry, (count) => {
        arrived[i] = count;
        const sum = arrived.reduce((a, b) => a + b, 0);
        scope.postMessage({ type: "progress", share: Math.min(1, sum / total) });
      }),
    ),
  );
  const [detectorFile, classifierFile] = files.map((file) => file.bytes) as [Uint8Array, Uint8Array];
  const detectorSpec = readDetectorSpec(detectorFile);
  const modelSpec = readModelSpec(classifierFile);
  const { load, threads } = await runtime.then((opened) => ({
    load: opened.load.bind(opened),
    threads: opened.threads,
  }));
  const finder = await load(detectorFile, {
    input:
      detectorSpec.layout === "pixels"
        ? makeTrialPixels([1, TRIAL_SIDE, TRIAL_SIDE, 3])
        : makeTrial([1, 3, TRIAL_SIDE, TRIAL_SIDE]),
    outputs: detectorSpec.strides.flatMap((stride) => [`cls_${stride}`, `obj_${stride}`, `bbox_${stride}`]),
  });
  const reader = await load(classifierFile, {
    input: makeTrial([1, 1, modelSpec.size, modelSpec.size]),
    outputs: ["emotion_logits", "vote_logits"],
  });
  const info = {
    model: chosen.classifier.identity,
    detector: chosen.detector.name,
    backends: { model: reader.backend, detector: finder.backend },
    threads,
  };
  return {
    detector: new Detector(finder, detectorSpec),
    classifier: new Classifier(reader, modelSpec),
    info,
  };
}

function begin(settings: ReadingSettings): void {
  if (prepared === null)
    throw new InferenceError("browser", "the worker was not started", "Reload the page.");
  const { detector, classifier, info } = prepared;
  reading = new Reading(detector, classifier, { model: info.model, detector: info.detector }, settings);
}

async function readFrame(message: Extract<ToWorker, { type: "frame" }>): Promise<void> {
  const began = performance.now();
  let picture: Picture;
  try {
    picture = toPicture(message.image);
  } finally {
    message.image.close();
  }
  if (reading === null) throw new InferenceError("browser", "the worker was not started", "Reload the page.");
  const decode = performance.now() - began;
  const { frame, timings } = await reading.read(picture, message.time_s);
  scope.postMessage({ type: "frame", id: message.id, frame, timings: { decode, ...timings } });
}

function toPicture(image: ImageBitmap | VideoFrame): Picture {
  const width = "displayWidth" in image ? image.displayWidth : image.width;
  const height = "displayHeight" in image ? image.displayHeight : image.height;
  if (canvas?.width !== width || canvas.height !== height) canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  if (context === null)
    throw new InferenceError("browser", "the browser gives no pixels", "Use another browser.");
  context.drawImage(image, 0, 0, width, height);
  return { width, height, channels: 4, data: context.getImageData(0, 0, width, height).data };
}

/** Something to read that is not all one colour. */
function makeTrial(dims: number[]): Tensor {
  const data = new Float32Array(dims.reduce((product, size) => product * size, 1));
  for (let i = 0; i < data.length; i++) data[i] = Math.sin(i / 7) + (i % 13) / 13;
  return { data, dims };
}

/** The same of levels. */
function makeTrialPixels(dims: number[]): Tensor {
  const { data } = makeTrial(dims);
  return { data: Uint8Array.from(data, (value) => 64 * (value + 1)), dims };
}
