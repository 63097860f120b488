import { defineConfig } from "vite";

// The notebook's map as one module that imports nothing, beside the pages.
export default defineConfig({
  build: {
    outDir: "../src/aurigrid/console/static",
    emptyOutDir: false,
    target: "es2022",
    lib: { entry: "src/widget.ts", formats: ["es"], fileName: () => "widget.js" },
  },
});
