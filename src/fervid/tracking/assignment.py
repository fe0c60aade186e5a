"""Who is who: the assignment of least total cost.

Successive shortest augmenting paths (Jonker & Volgenant 1987, doi:10.1007/BF02278710), in the form that Crouse 2016
(doi:10.1109/TAES.2016.140952) gives for rectangular matrices and SciPy runs in C++. A picture holds few faces, so that
the lines below take less time than importing SciPy's 140 MB would in a whole film.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def assign(costs: NDArray[np.floating], ceiling: float) -> list[tuple[int, int]]:
    """Pair rows with columns so that the sum of the pairs' costs, plus ``ceiling`` for each row left alone, is least.

    Args:
        costs: ``(N, M)``; infinite where a pair is impossible. Not NaN.
        ceiling: what it costs to leave a row alone; no pair costs more.

    Returns:
        (row, column) of every pair, by rows; no row and no column twice.
    """
    rows, columns = costs.shape
    alone = np.where(np.eye(rows, dtype=bool), ceiling, np.inf)  # every row has a column of its own to be alone in
    matrix = np.hstack([np.asarray(costs, dtype=np.float64), alone])
    row_potential, column_potential = np.zeros(rows), np.zeros(columns + rows)
    row_of = np.full(columns + rows, -1)
    column_of = np.full(rows, -1)
    for start in range(rows):
        distance = np.full(columns + rows, np.inf)
        origin = np.full(columns + rows, -1)
        visited = np.zeros(columns + rows, dtype=bool)
        row, reached = start, 0.0
        while True:  # Dijkstra over reduced costs, to the nearest free column
            through = reached + matrix[row] - row_potential[row] - column_potential
            nearer = ~visited & (through < distance)
            distance[nearer], origin[nearer] = through[nearer], row
            column = int(np.argmin(np.where(visited, np.inf, distance)))
            reached = float(distance[column])
            if row_of[column] < 0:
                break
            visited[column] = True
            row = int(row_of[column])
        row_potential[start] += reached
        row_potential[row_of[visited]] += reached - distance[visited]
        column_potential[visited] -= reached - distance[visited]
        while True:  # flip the path back to the start
            row = int(origin[column])
            row_of[column] = row
            column, column_of[row] = int(column_of[row]), column
            if row == start:
                break
    return [(row, int(column)) for row, column in enumerate(column_of) if column < columns]
