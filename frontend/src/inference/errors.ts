/** What can go wrong here, in the form that every answer of fervid uses. */

import type { ErrorDetail } from "../api/types";

export class InferenceError extends Error {
  readonly code: string;
  readonly advice: string;

  constructor(code: string, message: string, advice: string) {
    super(message);
    this.name = "InferenceError";
    this.code = code;
    this.advice = advice;
  }
}

/** The facts of anything that was thrown. */
export function describeError(error: unknown): ErrorDetail {
  if (error instanceof InferenceError) {
    return { code: error.code, message: error.message, advice: error.advice };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: "browser", message, advice: "Reload the page; another browser may do better." };
}
