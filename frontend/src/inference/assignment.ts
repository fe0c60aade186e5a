/**
 * Who is who: the assignment of least total cost, by successive shortest augmenting paths (Jonker & Volgenant 1987,
 * doi:10.1007/BF02278710; rectangular: Crouse 2016, doi:10.1109/TAES.2016.140952). As `fervid.tracking.assignment`.
 */

/**
 * Pair rows with columns so that the sum of the pairs' costs, plus `ceiling` for each row left alone, is least.
 *
 * Costs are infinite where a pair is impossible, and at most `ceiling` elsewhere. The pairs come by rows.
 */
export function assign(costs: readonly (readonly number[])[], ceiling: number): [number, number][] {
  const rows = costs.length;
  const real = costs[0]?.length ?? 0;
  const columns = real + rows; // every row has a column of its own to be alone in
  const costOf = (row: number, column: number): number => {
    if (column < real) return costs[row]?.[column] as number;
    return column - real === row ? ceiling : Number.POSITIVE_INFINITY;
  };
  const rowPotential = new Float64Array(rows);
  const columnPotential = new Float64Array(columns);
  const rowOf = new Int32Array(columns).fill(-1);
  const columnOf = new Int32Array(rows).fill(-1);
  for (let start = 0; start < rows; start++) {
    const distance = new Float64Array(columns).fill(Number.POSITIVE_INFINITY);
    const origin = new Int32Array(columns).fill(-1);
    const visited: number[] = [];
    const isVisited = new Uint8Array(columns);
    let row = start;
    let reached = 0;
    let column = -1;
    for (;;) {
      let nearest = Number.POSITIVE_INFINITY; // Dijkstra over reduced costs, to the nearest free column
      for (let candidate = 0; candidate < columns; candidate++) {
        if (isVisited[candidate]) continue;
        const through =
          reached +
          costOf(row, candidate) -
          (rowPotential[row] as number) -
          (columnPotential[candidate] as number);
        if (through < (distance[candidate] as number)) {
          distance[candidate] = through;
          origin[candidate] = row;
        }
        if ((distance[candidate] as number) < nearest) {
          nearest = distance[candidate] as number;
          column = candidate;
        }
      }
      reached = nearest;
      if ((rowOf[column] as number) < 0) break;
      isVisited[column] = 1;
      visited.push(column);
      row = rowOf[column] as number;
    }
    rowPotential[start] = (rowPotential[start] as number) + reached;
    for (const passed of visited) {
      const change = reached - (distance[passed] as number);
      const owner = rowOf[passed] as number;
      rowPotential[owner] = (rowPotential[owner] as number) + change;
      columnPotential[passed] = (columnPotential[passed] as number) - change;
    }
    do {
      row = origin[column] as number; // flip the path back to the start
      rowOf[column] = row;
      const freed = columnOf[row] as number;
      columnOf[row] = column;
      column = freed;
    } while (row !== start);
  }
  const pairs: [number, number][] = [];
  columnOf.forEach((column, row) => {
    if (column < real) pairs.push([row, column]);
  });
  return pairs;
}
