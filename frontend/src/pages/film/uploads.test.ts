// @vitest-environment happy-dom
import { h, render } from "preact";
import { act } from "preact/test-utils";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { fetchHealth, uploadFilm } from "../../api/client";
import { ApiError, fileError, networkError } from "../../api/errors";
import type { Health, Job } from "../../api/types";
import { UploadList } from "./UploadList";
import { removeUpload, startUpload, uploads } from "./uploads";

vi.mock("../../api/client");

const settle = () => new Promise((resolve) => setTimeout(resolve));

/** Ends what was sent, in order: with a job, or with an error. */
let ends: { resolve: (job: Job) => void; reject: (reason: unknown) => void; signal: AbortSignal }[];

function film(name: string): File {
  return new File(["film"], name, { type: "video/mp4" });
}

function sentNames(): string[] {
  return vi.mocked(uploadFilm).mock.calls.map(([file]) => file.name);
}

beforeEach(() => {
  ends = [];
  vi.mocked(fetchHealth).mockResolvedValue({} as Health);
  vi.mocked(uploadFilm).mockClear();
  vi.mocked(uploadFilm).mockImplementation(
    (_, options = {}) =>
      new Promise((resolve, reject) => {
        ends.push({ resolve, reject, signal: options.signal as AbortSignal });
      }),
  );
  for (const upload of uploads.value) removeUpload(upload);
});

describe("startUpload", () => {
  it("sends one film after the other, also after one that failed", async () => {
    for (const name of ["a.mp4", "b.mp4", "c.mp4"]) startUpload(film(name), true);
    await settle();
    expect(sentNames()).toEqual(["a.mp4"]);
    expect(uploads.value.map((upload) => upload.isSending.value)).toEqual([true, false, false]);
    ends[0]?.resolve({ id: "1" } as Job);
    await settle();
    expect(sentNames()).toEqual(["a.mp4", "b.mp4"]);
    ends[1]?.reject(new ApiError({ code: "network", message: "no answer", advice: "" }));
    await settle();
    expect(sentNames()).toEqual(["a.mp4", "b.mp4", "c.mp4"]);
    expect(uploads.value.map((upload) => upload.error.value?.code)).toEqual(["network", undefined]);
    ends[2]?.resolve({ id: "3" } as Job);
    await settle();
    expect(uploads.value.map((upload) => upload.film.name)).toEqual(["b.mp4"]);
  });

  it("sends nothing of a film that was cancelled while it waited, and the next when the one on its way was", async () => {
    for (const name of ["a.mp4", "b.mp4", "c.mp4"]) startUpload(film(name), true);
    await settle();
    const [first, second] = uploads.value;
    second?.cancel();
    first?.cancel();
    expect(ends[0]?.signal.aborted).toBe(true);
    ends[0]?.reject(new DOMException("cancelled", "AbortError"));
    await settle();
    expect(sentNames()).toEqual(["a.mp4", "c.mp4"]);
    ends[1]?.resolve({ id: "3" } as Job);
    await settle();
    expect(uploads.value).toEqual([]);
  });
});

it("a film that cannot be read any more is not sent again", async () => {
  for (const name of ["A.mp4", "B.mp4"]) startUpload(film(name), true);
  for (const [i, error] of [networkError(), fileError()].entries()) {
    await settle();
    ends[i]?.reject(error);
  }
  await settle();
  const root = document.createElement("div");
  act(() => render(h(UploadList, null), root));
  const rows = [...root.querySelectorAll("li")].map((row) => [
    row.querySelector(".notice-title")?.textContent,
    [...row.querySelectorAll("button")].map((button) => button.textContent),
  ]);
  expect(rows).toEqual([
    ["A.mp4: The server does not answer.", ["Try again", "Dismiss"]],
    ["B.mp4: The file cannot be read any more.", ["Dismiss"]],
  ]);
  render(null, root);
});
