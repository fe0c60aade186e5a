/** Why the browser's player stops at a film. */

import { checkFile } from "../../api/client";
import { toApiError } from "../../api/errors";
import type { JobFile } from "../../api/types";
import type { ErrorText } from "../../ui/ErrorNotice";

/** The browser cannot play it, or it does not arrive. */
export type PlayerTrouble = "unplayable" | ErrorText;

/** Codes of `MediaError` that speak of the file; players say the second one also of a file that is not there. */
const DECODE = 3;
const SRC_NOT_SUPPORTED = 4;

/** @param code of the player's `MediaError`. */
export async function explainPlayer(film: JobFile, code: number | undefined): Promise<PlayerTrouble> {
  try {
    await checkFile(film);
  } catch (reason) {
    const error = toApiError(reason);
    if (error) return error;
  }
  if (code === DECODE || code === SRC_NOT_SUPPORTED) return "unplayable";
  return {
    message: "The connection was lost while the film was loading",
    advice: "Try again; the film goes on where it was.",
  };
}
