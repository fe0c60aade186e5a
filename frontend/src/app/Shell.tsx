/** The frame around every page: brand, navigation, theme, the page itself, what to know about it. */

import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { Announcer } from "../ui/announce";
import { keepFocus } from "../ui/focus";
import { Icon } from "../ui/Icon";
import { LazyPage } from "./LazyPage";
import { findPage, PAGES } from "./pages";
import { currentPath, visitCount } from "./router";
import { theme, toggleTheme } from "./theme";

export function Shell() {
  const main = useRef<HTMLElement>(null);
  const destination = findPage(currentPath.value);
  const title = destination?.page.title ?? "Not found";

  useEffect(() => {
    document.title = title === "fervid" ? title : `${title} · fervid`;
  }, [title]);

  useLayoutEffect(() => {
    // Whoever follows a link by keyboard or hears the page goes on reading at its beginning.
    if (visitCount.value > 0) main.current?.focus({ preventScroll: true });
  }, [visitCount.value]);

  useEffect(() => keepFocus(main.current as HTMLElement), []);

  return (
    <>
      <a class="skip-link" href="#main">
        Skip to the page
      </a>
      <header class="shell-header">
        <div class="shell-bar">
          <a class="brand" href="/" aria-label="fervid, start page">
            <img class="brand-mark" src="/favicon.svg" alt="" width="28" height="28" />
            <span>fervid</span>
          </a>
          <nav class="shell-nav" aria-label="Pages">
            {PAGES.filter((page) => page.nav).map((page) => (
              <a
                key={page.title}
                href={page.patterns[0]}
                aria-current={isWithin(currentPath.value, page.patterns[0]) ? "page" : undefined}
              >
                {page.nav}
              </a>
            ))}
          </nav>
          <button
            type="button"
            class="icon-button"
            onClick={toggleTheme}
            aria-label={theme.value === "dark" ? "Use the light theme" : "Use the dark theme"}
          >
            <Icon name={theme.value === "dark" ? "sun" : "moon"} />
          </button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {destination ? (
          <LazyPage key={destination.page.patterns[0]} page={destination.page} params={destination.params} />
        ) : (
          <section class="page page-narrow">
            <h1>There is no such page</h1>
            <p>
              Nothing answers to <code>{currentPath.value}</code>.
            </p>
            <p>
              <a class="button button-primary" href="/">
                To the start
              </a>
            </p>
          </section>
        )}
      </main>
      <footer class="shell-footer">
        <div>
          <p>An expression is what a face shows, not what a person feels.</p>
          <p>
            <a href="/api/v1/docs">API</a>
          </p>
        </div>
      </footer>
      <Announcer />
    </>
  );
}

/** Whether `path` is `section` or below it. */
function isWithin(path: string, section: string): boolean {
  return path === section || path.startsWith(`${section}/`);
}
