/** Colours can be told apart and read. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  HEADS,
  contrast,
  css,
  headColour,
  inkOn,
  luminance,
  parse,
  ramp,
  shades,
} from "heedful/colours.js";

const SHEET = readFileSync(
  new URL("../../src/heedful/playground/static/trace.css", import.meta.url),
  "utf8",
);

/** The variables of the light theme, of the dark one, and of the dark one that was chosen. */
const ALL = [...SHEET.matchAll(/:root[^{]*\{([^{}]*)\}/g)].map(([, body]) =>
  Object.fromEntries([...body.matchAll(/--(\w+): (#\w{6})/g)].map(([, name, hex]) => [name, parse(hex)])),
);
const THEMES = ALL.slice(0, 2);

test("there is a light and a dark theme with the same variables", () => {
  assert.equal(ALL.length, 3);
  assert.deepEqual(Object.keys(THEMES[0]), Object.keys(THEMES[1]));
});

test("dark is the same, whether the system or the reader chose it", () => {
  assert.deepEqual(ALL[1], ALL[2]);
});

for (const [place, theme] of THEMES.entries()) {
  const name = ["light", "dark"][place];

  test(`texts are read, ${name}`, () => {
    for (const ground of ["paper", "card", "hatch"]) {
      for (const text of ["ink", "soft", "bar", "wrong", "ended"]) {
        if (["bar", "wrong", "ended"].includes(text) && ground === "hatch") continue;
        const found = contrast(theme[text], theme[ground]);
        assert.ok(found >= 4.5, `${text} on ${ground}: ${found.toFixed(2)}`);
      }
      assert.ok(contrast(theme.mark, theme[ground]) >= 3, `mark on ${ground}`);
    }
    assert.ok(contrast(theme.bar, theme.hatch) >= 3);
  });

  test(`the ramp begins at the background and goes one way, ${name}`, () => {
    const colour = ramp(theme.card);
    assert.deepEqual(colour(0), theme.card);
    assert.deepEqual(colour(2), colour(1));
    const steps = Array.from({ length: 101 }, (_, share) => contrast(colour(share / 100), theme.card));
    steps.slice(1).forEach((step, at) => assert.ok(step >= steps[at], `${at + 1} %`));
    assert.ok(steps[100] > 10);
    for (let share = 0; share <= 1; share += 0.01) {
      const ground = colour(share);
      assert.ok(contrast(ground, parse(inkOn(ground) === "#000" ? "#000000" : "#ffffff")) >= 4.5);
    }
  });
}

test("up to 8 heads have colours of their own", () => {
  assert.equal(new Set(HEADS).size, 8);
  assert.equal(headColour(7, 8), "var(--ink)");
  assert.equal(headColour(0, 9), "var(--ink)");
  assert.equal(css(parse(headColour(0, 8))), "rgb(230 159 0)");
  assert.ok(luminance([255, 255, 255]) > 0.999);
});

test("the shades are the ramp, a pixel each", () => {
  const background = parse("#1b1e24");
  const bytes = new Uint8Array(shades(background).buffer);
  for (const step of [0, 1, 77, 128, 255]) {
    const pixel = [...bytes.slice(4 * step, 4 * step + 4)];
    assert.deepEqual(pixel, [...ramp(background)(step / 255), 255]);
  }
});
