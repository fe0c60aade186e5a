// @vitest-environment happy-dom
import { describe, expect, it } from "vitest";
import { findPage, type Page } from "./pages";
import { currentPath, matchPath, navigate, startRouter, visitCount } from "./router";

describe("matchPath", () => {
  it("takes parameters out of the path", () => {
    expect(matchPath("/film/:id", "/film/a1b2")).toEqual({ id: "a1b2" });
    expect(matchPath("/rooms/host/:id", "/rooms/host/x")).toEqual({ id: "x" });
    expect(matchPath("/join/:code", "/join/a%20b")).toEqual({ code: "a b" });
  });

  it("does not mind a slash at the end, but an empty or a further segment", () => {
    expect(matchPath("/photo", "/photo/")).toEqual({});
    expect(matchPath("/", "/")).toEqual({});
    expect(matchPath("/film/:id", "/film")).toBeNull();
    expect(matchPath("/film", "/film/a1b2")).toBeNull();
    expect(matchPath("/film", "/Film")).toBeNull();
  });

  it("refuses what is no encoded text", () => {
    expect(matchPath("/join/:code", "/join/%E0%A4%A")).toBeNull();
  });
});

describe("findPage", () => {
  const load = () => Promise.reject(new Error("not loaded here"));
  const film: Page = { patterns: ["/film"], title: "Film", load };
  const result: Page = { patterns: ["/film/:id"], title: "Film", load };

  it("finds the first page that answers", () => {
    expect(findPage("/film", [film, result])).toEqual({ page: film, params: {} });
    expect(findPage("/film/7", [film, result])).toEqual({ page: result, params: { id: "7" } });
    expect(findPage("/nowhere", [film, result])).toBeNull();
  });
});

describe("startRouter", () => {
  it("follows links inside the application and leaves the others to the browser", () => {
    const stop = startRouter();
    const follow = (html: string): boolean => {
      document.body.innerHTML = html;
      const click = new MouseEvent("click", { bubbles: true, cancelable: true });
      let followed = false;
      const see = (event: Event): void => {
        followed = event.defaultPrevented;
        event.preventDefault(); // or the test's browser would go there
      };
      window.addEventListener("click", see, { once: true });
      document.querySelector("a")?.dispatchEvent(click);
      return followed;
    };
    const before = visitCount.value;
    expect(follow('<a href="/photo">Photo</a>')).toBe(true);
    expect(currentPath.value).toBe("/photo");
    expect(visitCount.value).toBe(before + 1);
    expect(follow('<a href="/api/v1/docs">API</a>')).toBe(false);
    expect(follow('<a href="/photo.csv" download>CSV</a>')).toBe(false);
    expect(follow('<a href="https://example.org/">elsewhere</a>')).toBe(false);
    expect(follow('<a href="/film" target="_blank">Film</a>')).toBe(false);
    expect(currentPath.value).toBe("/photo");
    stop();
    expect(follow('<a href="/film">Film</a>')).toBe(false);
  });

  it("counts visits, not calls", () => {
    navigate("/film");
    const before = visitCount.value;
    navigate("/film?x=1");
    expect(visitCount.value).toBe(before);
  });
});
