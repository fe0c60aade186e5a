/** A room for tests: it asks for the pace. */

import type { Room } from "../../api/rooms";

export const ROOM: Room = {
  id: "r1",
  code: "K7PM3Q",
  kind: "pulse",
  question: "pace",
  title: "Graphs",
  options: ["lost", "slow_down", "fine", "speed_up", "none"],
  min_group: 5,
  bucket_s: 10,
  hold_s: 300,
  steps: 1,
  max_participants: 500,
  created_at: 0,
  expires_at: 86_400,
  ended: false,
};
