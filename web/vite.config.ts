import { createHash } from "node:crypto";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";

const BESIDE_SRC = [
  "../llm4tag/reporting/look.css",
  "index.html",
  "package-lock.json",
  "package.json",
  "schema.json",
  "tsconfig.json",
  "vite.config.ts",
];

/** Hash all that a build is made from, as tests/page/test_build.py does, which needs no Node to see an old build. */
function madeFrom(): Plugin {
  return {
    name: "made-from",
    apply: "build",
    generateBundle() {
      const root = import.meta.dirname;
      const inside = readdirSync(join(root, "src"), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1));
      const hash = createHash("sha256");
      for (const name of [...BESIDE_SRC, ...inside].sort()) {
        hash.update(`${name}\n${createHash("sha256").update(readFileSync(join(root, name))).digest("hex")}\n`);
      }
      this.emitFile({ type: "asset", fileName: "made-from.sha256", source: `${hash.digest("hex")}\n` });
    },
  };
}

const server = process.env.LLM4TAG_SERVER ?? "http://127.0.0.1:2024";

export default defineConfig({
  // Relative, so that the page works behind any prefix: it lies at …/app, its assets at …/app/assets/….
  base: "./",
  plugins: [madeFrom()],
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    outDir: "../llm4tag/web",
    emptyOutDir: true,
    assetsDir: "app/assets",
    assetsInlineLimit: 0,
    target: "es2022",
    modulePreload: false,
    reportCompressedSize: false,
  },
  server: { host: "127.0.0.1", proxy: { "/runs": { target: server, changeOrigin: true } } },
});
