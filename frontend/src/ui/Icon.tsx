/** Line drawings of 24 × 24, in the colour of the text; they say nothing that words beside them do not. */

const PATHS = {
  alert:
    "M12 8.5v4.5M12 16.4v.1M10.3 4.1 2.9 17a2 2 0 0 0 1.7 3h14.8a2 2 0 0 0 1.7-3L13.7 4.1a2 2 0 0 0-3.4 0Z",
  camera:
    "M4.5 7.5h3l1.6-2.4h5.8l1.6 2.4h3A1.5 1.5 0 0 1 21 9v9a1.5 1.5 0 0 1-1.5 1.5h-15A1.5 1.5 0 0 1 3 18V9a1.5 1.5 0 0 1 1.5-1.5ZM12 16.6a3.4 3.4 0 1 0 0-6.8 3.4 3.4 0 0 0 0 6.8Z",
  check: "m5 12.5 4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6 6 18",
  download: "M12 4v11m-4.5-4.5L12 15l4.5-4.5M4.5 19.5h15",
  film: "M4.5 4.5h15v15h-15ZM8 4.5v15M16 4.5v15M4.5 9.5H8M4.5 14.5H8M16 9.5h3.5M16 14.5h3.5",
  info: "M12 11v5.5M12 7.6v.1M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18Z",
  moon: "M20 14.2A8.2 8.2 0 0 1 9.8 4a8.2 8.2 0 1 0 10.2 10.2Z",
  pause: "M8.5 5v14M15.5 5v14",
  people:
    "M9 11.5a3.3 3.3 0 1 0 0-6.6 3.3 3.3 0 0 0 0 6.6ZM3 19c.4-3.3 2.8-5 6-5s5.6 1.7 6 5M15.5 5.3a3.2 3.2 0 0 1 0 6M17 14.3c2.2.5 3.7 2.1 4 4.7",
  picture: "M4.5 5h15v14h-15ZM4.5 16l4.5-4.5 3.5 3.5 2.5-2.5 4.5 4M15.2 9.5a1 1 0 1 0 0-.1Z",
  play: "M8 5.2v13.6L19 12Z",
  retry: "M19.5 12a7.5 7.5 0 1 1-2.4-5.5M19.5 3.8v4h-4",
  shield: "M12 3.5 5 6v5.5c0 4.3 2.9 7.6 7 9 4.1-1.4 7-4.7 7-9V6Zm-3 8.6 2.2 2.2 4-4.3",
  sun: "M12 16.5a4.5 4.5 0 1 0 0-9 4.5 4.5 0 0 0 0 9ZM12 2.8v1.7M12 19.5v1.7M4.2 12H2.5M21.5 12h-1.7M5.5 5.5l1.2 1.2M17.3 17.3l1.2 1.2M18.5 5.5l-1.2 1.2M6.7 17.3l-1.2 1.2",
  trash: "M5 7h14M9.5 7V4.5h5V7M7 7l.8 12.5h8.4L17 7M10.3 10.5v5.5M13.7 10.5v5.5",
  upload: "M12 15.5V4.5M7.5 9 12 4.5 16.5 9M4.5 19.5h15",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" width="24" height="24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}
