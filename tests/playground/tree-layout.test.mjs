/** A tree's nodes stand apart, links do not cross, and arrow keys lead along it. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { layout, neighbour, pathTo } from "heedful/tree-layout.js";

const node = (number, parent, step, state = "kept") => ({ number, parent, step, state });
const NODES = [
  node(0, null, 1),
  node(1, null, 1, "dropped"),
  node(2, 0, 2),
  node(3, 0, 2, "dropped"),
  node(4, 0, 2),
  node(5, 2, 3, "ended"),
  node(6, 4, 3),
];

const at = (placed, number) => placed.find((one) => one.node.number === number);

test("what was dropped is shown only when asked for", () => {
  assert.deepEqual(layout(NODES, false).placed.map(({ node }) => node.number), [0, 2, 5, 4, 6]);
  assert.equal(layout(NODES, true).placed.length, 7);
  assert.equal(layout(NODES, false).lines, 2);
  assert.equal(layout(NODES, true).lines, 3);
  assert.deepEqual(layout([], true), { placed: [], lines: 0 });
});

/** A tree of a beam search over random pieces, from a seed. */
function random(seed) {
  let state = seed;
  const next = (end) => (state = (state * 1103515245 + 12345) % 2147483648) % end;
  const nodes = [];
  let kept = [null];
  for (let step = 1; step <= 6; step++) {
    const grew = kept.flatMap((parent) => Array.from({ length: 5 }, () => parent));
    const live = [];
    for (const parent of grew) {
      const number = nodes.length;
      const dropped = next(4) > 0 || live.length === 4;
      if (!dropped) live.push(number);
      nodes.push(node(number, parent, step, dropped ? "dropped" : "kept"));
    }
    kept = live;
  }
  return nodes;
}

test("nodes stand apart, no child is above its parent, no links cross", () => {
  for (let seed = 1; seed < 30; seed++) {
    for (const dropped of [false, true]) {
      const { placed, lines } = layout(random(seed), dropped);
      assert.equal(new Set(placed.map(({ x, y }) => `${x} ${y}`)).size, placed.length);
      assert.ok(placed.every(({ node, x, y }) => x === node.step - 1 && y >= 0 && y < lines));
      const links = placed
        .filter(({ node }) => node.parent !== null)
        .map(({ node, x, y }) => ({ x, y, from: at(placed, node.parent).y }));
      for (const one of links) {
        assert.ok(one.y >= one.from);
        for (const other of links.filter(({ x }) => x === one.x)) {
          assert.ok((one.from - other.from) * (one.y - other.y) >= 0);
        }
      }
    }
  }
});

test("a path leads from the first piece", () => {
  assert.deepEqual(pathTo(NODES, 5), [0, 2, 5]);
  assert.deepEqual(pathTo(NODES, null), []);
});

test("arrow keys lead to parents, children and neighbours", () => {
  const { placed } = layout(NODES, false);
  assert.equal(neighbour(placed, 5, "ArrowLeft"), 2);
  assert.equal(neighbour(placed, 0, "ArrowLeft"), undefined);
  assert.equal(neighbour(placed, 2, "ArrowRight"), 5);
  assert.equal(neighbour(placed, 5, "ArrowDown"), 6);
  assert.equal(neighbour(placed, 6, "ArrowUp"), 5);
  assert.equal(neighbour(placed, 5, "ArrowUp"), undefined);
  assert.ok(at(placed, 5).y < at(placed, 6).y);
  assert.equal(neighbour(placed, 3, "ArrowUp"), 0, "a node that is hidden leads to the first");
});
