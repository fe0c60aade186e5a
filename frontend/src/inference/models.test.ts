// @vitest-environment node
import { createHash } from "node:crypto";
import { afterEach, expect, it, vi } from "vitest";
import type { ModelEntry } from "../api/types";
import { chooseModels, fetchModel } from "./models";

const GOOD = new Uint8Array([1, 2, 3, 4]);
const BAD = new Uint8Array([1, 2, 3, 5]);
const ENTRY: ModelEntry = {
  name: "small",
  sha256: createHash("sha256").update(GOOD).digest("hex"),
  bytes: GOOD.length,
  task: "expression",
  default: true,
  identity: "small@0",
};

/** Some bytes of an answer, after which the line is cut. */
function breakOff(): Response {
  let isBegun = false;
  return new Response(
    new ReadableStream({
      pull(stream) {
        if (isBegun) stream.error(new TypeError("Failed to fetch"));
        else stream.enqueue(GOOD.slice(0, 2));
        isBegun = true;
      },
    }),
  );
}

function serve(...answers: Response[]) {
  const serve = vi.fn(async (_path: string, _options: RequestInit) => answers.shift() as Response);
  vi.stubGlobal("fetch", serve);
  return serve;
}

afterEach(() => vi.unstubAllGlobals());

it("says of an answer that breaks off that it did", async () => {
  const incomplete = { code: "network", message: expect.stringContaining("is incomplete") };
  serve(breakOff());
  await expect(chooseModels()).rejects.toMatchObject(incomplete);
  serve(breakOff());
  const onBytes = vi.fn();
  await expect(fetchModel(ENTRY, onBytes)).rejects.toMatchObject(incomplete);
  expect(onBytes.mock.calls).toEqual([[2]]);
});

it("asks past the cache when a kept copy is not the published file", async () => {
  const asked = serve(new Response(BAD), new Response(GOOD));
  expect((await fetchModel(ENTRY, () => {})).bytes).toEqual(GOOD);
  expect(asked.mock.calls.map(([, options]) => options.cache)).toEqual(["default", "reload"]);
  serve(new Response(BAD), new Response(BAD));
  await expect(fetchModel(ENTRY, () => {})).rejects.toMatchObject({ code: "model.integrity" });
});

it("asks once for a file that is right", async () => {
  const asked = serve(new Response(GOOD));
  await fetchModel(ENTRY, () => {});
  expect(asked).toHaveBeenCalledOnce();
});
