/** A film for tests: half of it is read. */

import type { Job } from "../../api/types";

export const JOB: Job = {
  id: "f1",
  status: "running",
  progress: 0.5,
  seconds_left: 3,
  created: "2026-01-01T10:00:00Z",
  name: "a.mp4",
  duration_s: 4,
  files: [],
};
