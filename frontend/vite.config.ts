import { defineConfig } from "vitest/config";

/** Where `npm run dev` finds the server; `fervid serve` listens here. */
const SERVER = process.env.FERVID_SERVER ?? "http://127.0.0.1:8642";

export default defineConfig({
  build: {
    outDir: "../src/fervid/web/static",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // every asset is a file of its own: hashed, cached, and inside the policy
    modulePreload: { polyfill: false },
  },
  worker: { format: "es" },
  server: {
    proxy: {
      "/api": { target: SERVER, changeOrigin: true, headers: { Origin: SERVER } },
      "/ws": { target: SERVER, changeOrigin: true, headers: { Origin: SERVER }, ws: true },
    },
    headers: {
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cross-Origin-Embedder-Policy": "require-corp",
    },
  },
  test: {
    environment: "node", // tests that need a page say so in their first line
    include: ["src/**/*.test.{ts,tsx}"],
    restoreMocks: true,
    unstubGlobals: true,
  },
});
