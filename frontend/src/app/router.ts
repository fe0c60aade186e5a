/** Where the page is: the history API, path patterns, and links that stay inside the application. */

import { computed, signal } from "@preact/signals";

export type Params = Readonly<Record<string, string>>;

const path = signal(window.location.pathname);
const visits = signal(0);

/** The path of the address, without query and fragment. */
export const currentPath = computed(() => path.value);

/** How often the page has changed since it was loaded; 0 until somebody follows a link. */
export const visitCount = computed(() => visits.value);

/**
 * The parameters with which `path` answers to `pattern`, or null when it does not.
 *
 * A pattern is a path whose segments may start with a colon: `/film/:id`. A slash at the end does not matter.
 */
export function matchPath(pattern: string, path: string): Params | null {
  const wanted = splitPath(pattern);
  const given = splitPath(path);
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, segment] of wanted.entries()) {
    const value = given[index] ?? "";
    if (segment.startsWith(":")) {
      const decoded = decodeSegment(value);
      if (decoded === null) return null;
      params[segment.slice(1)] = decoded;
    } else if (segment !== value) {
      return null;
    }
  }
  return params;
}

function splitPath(path: string): string[] {
  return path.split("/").filter((segment) => segment !== "");
}

function decodeSegment(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** Show another page; `replace` leaves no step in the history. */
export function navigate(target: string, options: { replace?: boolean } = {}): void {
  const url = new URL(target, window.location.href);
  if (options.replace) window.history.replaceState(null, "", url);
  else window.history.pushState(null, "", url);
  arrive(url.pathname);
  if (!options.replace) window.scrollTo(0, 0);
}

function arrive(pathname: string): void {
  if (pathname === path.value) return;
  path.value = pathname;
  visits.value += 1;
}

/**
 * Follow links inside the application without loading it again, and the browser's back and forward.
 *
 * Links that open elsewhere, download, carry a modifier or lead to `/api` are the browser's.
 */
export function startRouter(): () => void {
  const follow = (event: MouseEvent): void => {
    if (
      event.defaultPrevented ||
      event.button !== 0 ||
      event.metaKey ||
      event.ctrlKey ||
      event.shiftKey ||
      event.altKey
    )
      return;
    const link = (event.target as Element | null)?.closest?.("a");
    if (!link?.href || link.target || link.hasAttribute("download")) return;
    const url = new URL(link.href);
    if (url.origin !== window.location.origin || url.pathname.startsWith("/api/")) return;
    if (url.pathname === window.location.pathname && url.hash !== "") return;
    event.preventDefault();
    navigate(url.pathname + url.search + url.hash);
  };
  const back = (): void => arrive(window.location.pathname);
  document.addEventListener("click", follow);
  window.addEventListener("popstate", back);
  return () => {
    document.removeEventListener("click", follow);
    window.removeEventListener("popstate", back);
  };
}
