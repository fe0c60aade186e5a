/** An error in the page: what was wrong, and what to do. */

import type { ComponentChildren } from "preact";
import { asSentence } from "./format";
import { Icon } from "./Icon";

export interface ErrorText {
  message: string;
  advice?: string;
}

export function ErrorNotice({
  error,
  onRetry,
  children,
}: {
  error: ErrorText;
  onRetry?: (() => void) | undefined;
  children?: ComponentChildren;
}) {
  return (
    <div class="notice notice-error" role="alert">
      <Icon name="alert" />
      <div class="notice-text">
        <p class="notice-title">{asSentence(error.message)}</p>
        {error.advice && <p>{error.advice}</p>}
        {(onRetry || children) && (
          <div class="button-row">
            {onRetry && (
              <button type="button" class="button" onClick={onRetry}>
                Try again
              </button>
            )}
            {children}
          </div>
        )}
      </div>
    </div>
  );
}
