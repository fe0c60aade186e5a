/** The pages there are; each is loaded when somebody goes there. */

import type { ComponentType } from "preact";
import type { IconName } from "../ui/Icon";
import { matchPath, type Params } from "./router";

export interface PageProps {
  params: Params;
}

export interface Page {
  /** Paths that lead here; see `matchPath`. */
  patterns: readonly [string, ...string[]];
  /** What the window is called. */
  title: string;
  /** The word in the navigation; pages without one are reached from others. */
  nav?: string;
  /** What the start page says of it. */
  door?: { icon: IconName; text: string };
  load: () => Promise<{ default: ComponentType<PageProps> }>;
}

export const PAGES: readonly Page[] = [
  { patterns: ["/"], title: "fervid", load: () => import("../pages/home/HomePage") },
  {
    patterns: ["/photo"],
    title: "Photo",
    nav: "Photo",
    door: {
      icon: "picture",
      text: "Drop, paste or take a picture: every face with its odds, and what in it they come from.",
    },
    load: () => import("../pages/photo/PhotoPage"),
  },
  {
    patterns: ["/film"],
    title: "Film",
    nav: "Film",
    door: {
      icon: "film",
      text: "Who shows which expression when: an annotated film beside everybody’s timeline.",
    },
    load: () => import("../pages/film/FilmPage"),
  },
  { patterns: ["/film/:id"], title: "Film", load: () => import("../pages/film/ResultPage") },
  {
    patterns: ["/live"],
    title: "Live",
    nav: "Live",
    door: {
      icon: "camera",
      text: "Your own camera, read inside this page. No picture leaves it unless you say so.",
    },
    load: () => import("../pages/live/LivePage"),
  },
  {
    patterns: ["/rooms"],
    title: "Rooms",
    nav: "Rooms",
    door: {
      icon: "people",
      text: "An audience says how it goes; the presenter sees sums of groups, never one answer.",
    },
    load: () => import("../pages/rooms/RoomsPage"),
  },
  { patterns: ["/rooms/host/:id"], title: "Room", load: () => import("../pages/rooms/HostPage") },
  { patterns: ["/join"], title: "Join a room", load: () => import("../pages/rooms/JoinPage") },
  { patterns: ["/join/:code"], title: "Room", load: () => import("../pages/rooms/RoomPage") },
];

export interface Destination {
  page: Page;
  params: Params;
}

/** The page a path leads to, or null when there is none. */
export function findPage(path: string, pages: readonly Page[] = PAGES): Destination | null {
  for (const page of pages) {
    for (const pattern of page.patterns) {
      const params = matchPath(pattern, path);
      if (params !== null) return { page, params };
    }
  }
  return null;
}
