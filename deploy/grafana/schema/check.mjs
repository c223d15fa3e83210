// Checks the dashboards against @grafana/schema, and their units against the list
// of @grafana/data. Run node check.mjs FOLDER-OF-DASHBOARDS in a folder where
// package.json is installed and @grafana/data unpacked, as make test-grafana does.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";

const folder = process.argv[2];
const files = readdirSync(folder).filter((name) => name.endsWith(".json"));
if (files.length === 0) throw new Error(`no dashboards in ${folder}`);

const units = readFileSync("package/dist/esm/valueFormats/categories.mjs", "utf8");

const modules = files.map((name) => {
  const module = basename(name, ".json") + ".ts";
  const text = readFileSync(join(folder, name), "utf8");
  for (const panel of JSON.parse(text).panels) {
    const unit = panel.fieldConfig?.defaults.unit;
    if (unit && !units.includes(`id: "${unit}"`)) throw new Error(`${name}, ${panel.title}: Grafana has no unit ${unit}`);
  }
  writeFileSync(module, `import type { Board } from "./dashboard";\n\nexport const board = ${text.trim()} satisfies Board;\n`);
  return module;
});
const options = ["--noEmit", "--strict", "--skipLibCheck", "--target", "es2022", "--module", "esnext", "--moduleResolution", "bundler"];
execFileSync("node_modules/.bin/tsc", [...options, ...modules], { stdio: "inherit" });
console.log(`${files.length} dashboards match the types of Grafana 13`);
