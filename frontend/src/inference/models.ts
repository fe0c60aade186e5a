/** The networks' files, from the server that this page came from. */

import type { ModelEntry } from "../api/types";
import { InferenceError } from "./errors";

const ROOT = "/api/v1/models";
/** Expression networks in the order in which a browser wants them; then the server's default. */
const PREFERRED = ["small"];

export interface ModelFile {
  entry: ModelEntry;
  bytes: Uint8Array<ArrayBuffer>;
}

/** The detector and the expression network to use, by its name or the one for browsers. */
export async function chooseModels(
  name: string | null = null,
): Promise<{ detector: ModelEntry; classifier: ModelEntry }> {
  const answer = await request(ROOT);
  const { models } = await receive<{ models: ModelEntry[] }>(ROOT, answer.json());
  const detector = pick(models.filter((model) => model.task === "detection"));
  const known = models.filter((model) => model.task === "expression");
  const classifier = name === null ? pick(known) : known.find((model) => model.name === name);
  if (!detector || !classifier) {
    throw new InferenceError(
      "model.unknown",
      "the server has no networks for browsers",
      "Update fervid there.",
    );
  }
  return { detector, classifier };
}

function pick(models: readonly ModelEntry[]): ModelEntry | undefined {
  return (
    models.find((model) => PREFERRED.includes(model.name)) ??
    models.find((model) => model.default) ??
    models[0]
  );
}

/**
 * A network's file, whole and the published one.
 *
 * @param onBytes is told how many bytes have arrived.
 */
export async function fetchModel(entry: ModelEntry, onBytes: (count: number) => void): Promise<ModelFile> {
  const path = `${ROOT}/${encodeURIComponent(entry.name)}/file?sha256=${entry.sha256}`; // which may be kept for ever
  let bytes = await download(path, "default", onBytes);
  if ((await digest(bytes)) !== entry.sha256) bytes = await download(path, "reload", onBytes); // a bad copy was kept
  await checkIntegrity(bytes, entry);
  return { entry, bytes };
}

async function download(path: string, cache: RequestCache, onBytes: (count: number) => void) {
  const answer = await request(path, cache);
  return receive(path, collect(answer, onBytes));
}

async function collect(answer: Response, onBytes: (count: number) => void) {
  const parts: Uint8Array[] = [];
  let count = 0;
  const reader = answer.body?.getReader();
  for (let part = await reader?.read(); part && !part.done; part = await reader?.read()) {
    parts.push(part.value);
    count += part.value.length;
    onBytes(count);
  }
  const bytes = new Uint8Array(count);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Throws when the bytes are not those whose SHA-256 the server's list names. */
export async function checkIntegrity(bytes: Uint8Array<ArrayBuffer>, entry: ModelEntry): Promise<void> {
  const found = await digest(bytes);
  if (found !== entry.sha256) {
    throw new InferenceError(
      "model.integrity",
      `the file of ${entry.name} is not the published one (${found.slice(0, 12)}, not ${entry.sha256.slice(0, 12)})`,
      "Try again; if it stays so, install fervid on the server anew.",
    );
  }
}

/** SHA-256, in hexadecimal. */
async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const found = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(found, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function request(path: string, cache: RequestCache = "default"): Promise<Response> {
  let answer: Response;
  try {
    answer = await fetch(path, { cache });
  } catch {
    throw new InferenceError("network", `${path} cannot be reached`, "Check that the server is running.");
  }
  if (!answer.ok) {
    throw new InferenceError(
      "network",
      `the server answers ${answer.status} for ${path}`,
      "Check the server's log.",
    );
  }
  return answer;
}

/** The rest of an answer that has begun. */
async function receive<T>(path: string, rest: Promise<T>): Promise<T> {
  try {
    return await rest;
  } catch {
    throw new InferenceError("network", `the answer for ${path} is incomplete`, "Check the connection.");
  }
}
