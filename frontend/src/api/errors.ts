/** Errors of the server and of the way to it, in one shape. */

import type { ErrorDetail } from "./types";

/** What passes: too many requests, a gateway in front of a server that starts again, a server that is busy. */
const TEMPORARY: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export class ApiError extends Error {
  readonly code: string;
  readonly advice: string;
  /** HTTP status; 0 when no answer came. */
  readonly status: number;
  /** After how many seconds the server wants to be asked again. */
  readonly retryAfterS: number | null;

  constructor(detail: ErrorDetail, status = 0, retryAfterS: number | null = null) {
    super(detail.message);
    this.name = "ApiError";
    this.code = detail.code;
    this.advice = detail.advice;
    this.status = status;
    this.retryAfterS = retryAfterS;
  }

  /** Whether the same request may succeed later. */
  get isTemporary(): boolean {
    return this.status === 0 ? this.code === "network" : TEMPORARY.has(this.status);
  }

  /** Whether the same request can never succeed: its file has to be chosen anew. */
  get isFileLost(): boolean {
    return this.code === "file";
  }
}

/** No answer came. */
export function networkError(): ApiError {
  return new ApiError({
    code: "network",
    message: "The server does not answer",
    advice: "Is fervid serve still running? Start it again, then try once more.",
  });
}

/** A file that was chosen is no longer what it was, or never was a file. */
export function fileError(): ApiError {
  return new ApiError({
    code: "file",
    message: "The file cannot be read any more",
    advice: "Choose it again; of a folder, choose the files in it.",
  });
}

/** The error that an answer of `status` with `body` means. */
export function readError(status: number, body: string, retryAfter: string | null = null): ApiError {
  const detail = parseDetail(body) ?? {
    code: "web.unreadable",
    message: `The server answered with status ${status} and without a reason`,
    advice: status >= 500 ? "Look at what fervid serve printed." : "Load the page again.",
  };
  return new ApiError(detail, status, parseRetryAfter(retryAfter));
}

function parseDetail(body: string): ErrorDetail | null {
  try {
    const error = JSON.parse(body)?.error;
    if (typeof error?.message !== "string") return null;
    return {
      code: String(error.code ?? "error"),
      message: error.message,
      advice: String(error.advice ?? ""),
    };
  } catch {
    return null;
  }
}

function parseRetryAfter(value: string | null): number | null {
  const seconds = value === null ? Number.NaN : Number(value);
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

/** Anything thrown, as an error that can be shown; null for what was cancelled on purpose. */
export function toApiError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error;
  if (error instanceof DOMException && error.name === "AbortError") return null;
  return new ApiError({
    code: "page",
    message: error instanceof Error ? error.message : "Something in this page went wrong",
    advice: "Load the page again.",
  });
}
