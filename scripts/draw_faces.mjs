// Draw faces in color for "Your own images": each of another person, 32 x 32 pixels.
//
//     npm install --prefix build/faces @dicebear/core@9 @dicebear/pixel-art@9 @resvg/resvg-js@2
//     node scripts/draw_faces.mjs 5000 faces
//
// The drawings are DiceBear's "Pixel Art" (CC0 1.0, public domain): eyes, hair, clothes and so on
// are chosen by chance, which a seed decides. So the same number gives the same faces.

import { createRequire } from "node:module";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const SIZE = 32;
const installed = createRequire(join(process.cwd(), "build/faces/package.json"));
const load = async (name) => import(pathToFileURL(installed.resolve(name)));

const [count, folder] = [Number(process.argv[2]), process.argv[3]];
if (!Number.isInteger(count) || count < 1 || !folder) {
  console.error("usage: node scripts/draw_faces.mjs COUNT FOLDER");
  process.exit(2);
}
const { createAvatar } = await load("@dicebear/core");
const style = await load("@dicebear/pixel-art");
const { Resvg } = await load("@resvg/resvg-js");

mkdirSync(folder, { recursive: true });
for (let seed = 0; seed < count; seed++) {
  const look = { seed: `face ${seed}`, backgroundColor: ["b6e3f4", "c0aede", "ffdfbf", "d1d4f9"] };
  const svg = createAvatar(style, look).toString();
  const png = new Resvg(svg, { fitTo: { mode: "width", value: SIZE } }).render().asPng();
  writeFileSync(join(folder, `${String(seed).padStart(5, "0")}.png`), png);
}
