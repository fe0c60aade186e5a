/** A page that is fetched when it is shown. */

import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ErrorNotice } from "../ui/ErrorNotice";
import type { Page, PageProps } from "./pages";
import type { Params } from "./router";

const loaded = new Map<Page, ComponentType<PageProps>>();

export function LazyPage({ page, params }: { page: Page; params: Params }) {
  const [failed, setFailed] = useState(false);
  const [, setReady] = useState(loaded.has(page));

  useEffect(() => {
    if (loaded.has(page)) return;
    let current = true;
    page.load().then(
      (module) => {
        loaded.set(page, module.default);
        if (current) setReady(true);
      },
      () => {
        if (current) setFailed(true);
      },
    );
    return () => {
      current = false;
    };
  }, [page]);

  const Content = loaded.get(page);
  if (Content) return <Content params={params} />;
  if (failed) {
    return (
      <section class="page page-narrow">
        <ErrorNotice
          error={{
            message: "This page could not be fetched",
            advice: "Is the server still running? If it was updated, load the page again.",
          }}
          // A module or style sheet that failed once is never fetched again by the same document.
          onRetry={() => location.reload()}
        />
      </section>
    );
  }
  return <div class="page-loading" aria-busy="true" />;
}
