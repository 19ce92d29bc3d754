/**
 * Where the nodes of a beam search's tree stand: a column for each step, no links that cross.
 */

/**
 * A node as it is saved.
 * @typedef {{number: number, parent: number | null, step: number, token: string, log_prob: number,
 *   total: number, score: number, rank: number, state: "kept" | "dropped" | "ended"}} Node
 */

/**
 * Return the nodes that are shown with their places, and how many lines they take.
 * @param {Node[]} nodes
 * @param {boolean} dropped - Whether those are shown that the search dropped.
 * @returns {{placed: {node: Node, x: number, y: number}[], lines: number}}
 */
export function layout(nodes, dropped) {
  const shown = nodes.filter((node) => dropped || node.state !== "dropped");
  const children = new Map();
  for (const node of [...shown].sort((a, b) => (a.state === "dropped") - (b.state === "dropped"))) {
    children.set(node.parent, [...(children.get(node.parent) ?? []), node]);
  }
  const placed = [];
  /** The first line that is free in each column. */
  const free = [];
  const place = (node, line) => {
    const x = node.step - 1;
    const y = Math.max(free[x] ?? 0, line);
    free[x] = y + 1;
    placed.push({ node, x, y });
    for (const child of children.get(node.number) ?? []) place(child, y);
  };
  for (const node of children.get(null) ?? []) place(node, 0);
  return { placed, lines: Math.max(0, ...free) };
}

/**
 * Return the numbers of the nodes from the first piece to this one.
 * @param {Node[]} nodes
 * @param {number | null} number
 * @returns {number[]}
 */
export function pathTo(nodes, number) {
  const path = [];
  for (let at = number; at !== null; at = nodes[at].parent) path.unshift(at);
  return path;
}

/**
 * Return the node that an arrow key leads to from another, or undefined.
 * @param {{node: Node, x: number, y: number}[]} placed
 * @param {number} number
 * @param {string} key
 * @returns {number | undefined}
 */
export function neighbour(placed, number, key) {
  const here = placed.find(({ node }) => node.number === number);
  if (!here) return placed[0]?.node.number;
  const nearest = (found) =>
    found.sort((a, b) => Math.abs(a.y - here.y) - Math.abs(b.y - here.y))[0]?.node.number;
  if (key === "ArrowLeft") return here.node.parent ?? undefined;
  if (key === "ArrowRight") return nearest(placed.filter(({ node }) => node.parent === number));
  const column = placed.filter(({ x }) => x === here.x);
  return nearest(column.filter(({ y }) => (key === "ArrowUp" ? y < here.y : y > here.y)));
}
