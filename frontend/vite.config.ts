import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

// In development the page is served by Vite and everything else by a running server.
const server = process.env.STEADING_URL ?? "http://127.0.0.1:8080";

export default defineConfig({
  plugins: [react()],
  build: {
    // The Content-Security-Policy allows fonts and scripts from files only, not from data: URLs.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 600,
  },
  server: {
    proxy: {
      "/v1": { target: server, ws: true },
      "/session": server,
      "/enter": server,
      "/docs": server,
      "/openapi.json": server,
    },
  },
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/setup.ts"],
    testTimeout: 30_000,
    restoreMocks: true,
    unstubGlobals: true,
  },
});
