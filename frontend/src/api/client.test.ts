import { afterEach, describe, expect, it, vi } from "vitest";
import { analyseImage, fetchJob, fetchJobFile, uploadFilm } from "./client";
import { ApiError, readError, toApiError } from "./errors";
import type { Job } from "./types";

const JOB: Job = {
  id: "f1",
  status: "done",
  progress: 1,
  seconds_left: 0,
  created: "2026-01-01T10:00:00Z",
  name: "a.mp4",
  duration_s: 4,
  files: [
    {
      name: "timeline.json",
      media_type: "application/json",
      bytes: 2,
      url: "/api/v1/videos/f1/files/timeline.json",
    },
  ],
};

function answer(status: number, body: unknown, headers: Record<string, string> = {}): Response {
  return new Response(typeof body === "string" ? body : JSON.stringify(body), { status, headers });
}

const error = (code: string) => ({
  schema: "fervid/1",
  error: { code, message: "too large", advice: "Shrink it." },
});

afterEach(() => vi.unstubAllGlobals());

describe("requests", () => {
  it("send a picture as a form and its options as a query", async () => {
    const fetch = vi.fn(async (..._: Parameters<typeof globalThis.fetch>) => answer(200, { faces: [] }));
    vi.stubGlobal("fetch", fetch);
    const picture = new File(["x"], "me.jpg", { type: "image/jpeg" });
    expect(await analyseImage(picture, { evidence: true, annotated: "emoji" })).toEqual({ faces: [] });
    const [url, init] = fetch.mock.calls[0] ?? [];
    expect(url).toBe("/api/v1/images?evidence=true&annotated=emoji");
    expect(init).toMatchObject({ method: "POST" });
    const form = init?.body;
    expect(form instanceof FormData && form.get("image")).toMatchObject({
      name: "me.jpg",
      type: "image/jpeg",
    });
  });

  it("take a job out of its wrapping", async () => {
    vi.stubGlobal(
      "fetch",
      vi.fn(async () => answer(200, { job: JOB })),
    );
    expect(await fetchJob("f1")).toEqual(JOB);
  });

  it("turn the server's errors into ApiError", async () => {
    vi.stubGlobal(
      "fetch",
      vi.fn(async () => answer(413, error("web.too_large"))),
    );
    const thrown = await fetchJob("f1").catch((reason: unknown) => reason);
    expect(thrown).toBeInstanceOf(ApiError);
    expect(thrown).toMatchObject({
      code: "web.too_large",
      message: "too large",
      advice: "Shrink it.",
      status: 413,
    });
  });

  it("say so when no answer comes or the answer is no JSON", async () => {
    vi.stubGlobal(
      "fetch",
      vi.fn(() => Promise.reject(new TypeError("Failed to fetch"))),
    );
    await expect(fetchJob("f1")).rejects.toMatchObject({ code: "network", status: 0, isTemporary: true });
    vi.stubGlobal(
      "fetch",
      vi.fn(async () => answer(200, "<html>")),
    );
    await expect(fetchJob("f1")).rejects.toMatchObject({ code: "web.unreadable", isTemporary: false });
  });

  it("call an answer that breaks off a lost connection, unless it was cancelled", async () => {
    const cancelled = new DOMException("cancelled", "AbortError");
    for (const status of [200, 502]) {
      for (const [reason, expected] of [
        [new TypeError("terminated"), { code: "network", isTemporary: true }],
        [cancelled, cancelled],
      ] as const) {
        const body = () => new ReadableStream({ start: (stream) => stream.error(reason) });
        vi.stubGlobal("fetch", async () => new Response(body(), { status }));
        await expect(fetchJob("f1")).rejects.toMatchObject(expected);
        if (status === 200) await expect(fetchJobFile(JOB, "timeline.json")).rejects.toMatchObject(expected);
      }
    }
  });

  it("name a file that a job has not", async () => {
    await expect(fetchJobFile({ ...JOB, files: [] }, "timeline.json")).rejects.toMatchObject({
      code: "web.not_found",
    });
  });
});

describe("a file that does not arrive", () => {
  class LostTransfer {
    upload = {};
    onerror: () => void = () => {};
    open = () => {};
    send = () => this.onerror();
  }

  /** A file that browsers can read, or cannot: it has changed since, or is a folder. */
  function makeFile(isReadable: boolean): File {
    const file = new File(["film"], "a.mp4");
    const failure = new DOMException("", "NotReadableError");
    if (!isReadable) file.slice = () => ({ arrayBuffer: () => Promise.reject(failure) }) as unknown as Blob;
    return file;
  }

  it.each([
    [true, { code: "network", message: "The server does not answer", isTemporary: true, isFileLost: false }],
    [
      false,
      { code: "file", message: "The file cannot be read any more", isTemporary: false, isFileLost: true },
    ],
  ])("and can still be read: %s", async (isReadable, error) => {
    vi.stubGlobal("XMLHttpRequest", LostTransfer);
    vi.stubGlobal("fetch", () => Promise.reject(new TypeError("Failed to fetch")));
    await expect(uploadFilm(makeFile(isReadable))).rejects.toMatchObject(error);
    await expect(analyseImage(makeFile(isReadable))).rejects.toMatchObject(error);
  });
});

describe("readError", () => {
  it("knows which errors of the way to the server pass", () => {
    const passing = [400, 404, 429, 500, 502, 503, 504].filter((status) => readError(status, "").isTemporary);
    expect(passing).toEqual([429, 502, 503, 504]);
  });

  it("reads how long to wait", () => {
    expect(readError(429, JSON.stringify(error("web.too_many")), "3")).toMatchObject({
      retryAfterS: 3,
      isTemporary: true,
    });
    expect(readError(429, JSON.stringify(error("web.too_many")), "soon").retryAfterS).toBeNull();
  });

  it("survives answers of another shape", () => {
    for (const body of ["", "null", "[]", "{}", '{"error": 3}', '{"detail": "x"}'])
      expect(readError(502, body)).toMatchObject({ code: "web.unreadable", status: 502 });
  });
});

describe("toApiError", () => {
  it("leaves out what was cancelled", () => {
    expect(toApiError(new DOMException("no", "AbortError"))).toBeNull();
    expect(toApiError(new Error("odd"))).toMatchObject({ code: "page", message: "odd" });
  });
});
