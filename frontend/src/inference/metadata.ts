/**
 * The metadata of an ONNX file.
 *
 * An ONNX file is a protocol buffer, `ModelProto`; its field 14 is a list of `StringStringEntryProto` with the fields
 * key = 1 and value = 2 (onnx/onnx.proto). Everything else is skipped by its length.
 */

import { InferenceError } from "./errors";

const METADATA_PROPS = 14;
const GRAPH = 7;
const GRAPH_NODE = 1;
const NODE_OPERATOR = 4;
const KEY = 1;
const VALUE = 2;

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** Key and value of every entry of the file's metadata. */
export function readMetadata(file: Uint8Array): Map<string, string> {
  const entries = new Map<string, string>();
  const decoder = new TextDecoder();
  for (const { field, bytes } of readFields(file)) {
    if (field !== METADATA_PROPS) continue;
    let key = "";
    let value = "";
    for (const part of readFields(bytes)) {
      if (part.field === KEY) key = decoder.decode(part.bytes);
      if (part.field === VALUE) value = decoder.decode(part.bytes);
    }
    entries.set(key, value);
  }
  return entries;
}

/** The operators that the file's graph uses (fields 7, 1 and 4 of the messages on the way there). */
export function readOperators(file: Uint8Array): Set<string> {
  const names = new Set<string>();
  const decoder = new TextDecoder();
  for (const graph of readFields(file)) {
    if (graph.field !== GRAPH) continue;
    for (const node of readFields(graph.bytes)) {
      if (node.field !== GRAPH_NODE) continue;
      for (const { field, bytes } of readFields(node.bytes)) {
        if (field === NODE_OPERATOR) names.add(decoder.decode(bytes));
      }
    }
  }
  return names;
}

/** The length-delimited fields of a message; the others are passed over. */
function* readFields(message: Uint8Array): Generator<{ field: number; bytes: Uint8Array }> {
  let at = 0;

  function readVarint(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < 10; i++) {
      const byte = message[at++];
      if (byte === undefined) throw damaged();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw damaged();
  }

  while (at < message.length) {
    const tag = readVarint();
    const field = Math.floor(tag / 8);
    const kind = tag % 8;
    if (kind === VARINT) readVarint();
    else if (kind === FIXED64) at += 8;
    else if (kind === FIXED32) at += 4;
    else if (kind === LENGTH_DELIMITED) {
      const length = readVarint();
      if (at + length > message.length) throw damaged();
      yield { field, bytes: message.subarray(at, at + length) };
      at += length;
    } else throw damaged();
  }
  if (at > message.length) throw damaged();
}

function damaged(): InferenceError {
  return new InferenceError("model.contract", "the model's file is damaged", "Reload the page.");
}
