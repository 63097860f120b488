import { defineConfig } from "vite";

// The pages ship inside the wheel. File names carry no hash, so that a rebuild is compared with what is committed; the
// server answers with an ETag of the content.
export default defineConfig({
  base: "./",
  build: {
    outDir: "../src/aurigrid/console/static",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: false,
    rollupOptions: {
      output: {
        entryFileNames: "console.js",
        chunkFileNames: "[name].js",
        assetFileNames: "[name][extname]",
      },
    },
  },
});
