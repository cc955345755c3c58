//! Small linear systems.
//!
//! Answers `A x = b` and `xᵀ A⁻¹ x` for symmetric positive definite matrices of a few dozen rows. Does not know what they
//! mean. A factorisation of our own stands here instead of a matrix library because it is thirty lines, and because every
//! step is one of `+ − × ÷ √`, which IEEE 754 rounds the same way on every machine.

/// Rows a system may have: a factorisation takes n³/6 multiplications, 44 000 at this size.
pub(crate) const ROWS_MAX: usize = 64;

/// The lower triangle of the Cholesky factor `L`, with `L Lᵀ = A`, row by row.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Factor {
    rows: usize,
    lower: Vec<f64>,
}

impl Factor {
    /// Factorises the symmetric matrix whose element at row `i` and column `j ≤ i` is `element(i, j)`. `None` if it is not
    /// clearly positive definite, not finite, or too large.
    pub(crate) fn of(rows: usize, element: impl Fn(usize, usize) -> f64) -> Option<Factor> {
        if ROWS_MAX < rows {
            return None;
        }
        let mut lower = vec![0.0; triangle(rows)];
        for i in 0..rows {
            for j in 0..=i {
                let (above, left) = (triangle(i), triangle(j));
                let done: f64 = (0..j).map(|k| lower[above + k] * lower[left + k]).sum();
                let rest = element(i, j) - done;
                if !rest.is_finite() || (i == j && rest <= 0.0) {
                    return None;
                }
                lower[above + j] = if i == j { rest.sqrt() } else { rest / lower[left + j] };
            }
        }
        Some(Factor { rows, lower })
    }

    /// `y` with `L y = b`.
    pub(crate) fn forward(&self, b: &[f64]) -> Vec<f64> {
        assert_eq!(b.len(), self.rows, "as many values as rows");
        let mut y = b.to_vec();
        for i in 0..self.rows {
            let done: f64 = (0..i).map(|k| self.lower[triangle(i) + k] * y[k]).sum();
            y[i] = (y[i] - done) / self.lower[triangle(i) + i];
        }
        y
    }

    /// `x` with `Lᵀ x = y`.
    pub(crate) fn backward(&self, y: &[f64]) -> Vec<f64> {
        assert_eq!(y.len(), self.rows, "as many values as rows");
        let mut x = y.to_vec();
        for i in (0..self.rows).rev() {
            let done: f64 = (i + 1..self.rows).map(|k| self.lower[triangle(k) + i] * x[k]).sum();
            x[i] = (x[i] - done) / self.lower[triangle(i) + i];
        }
        x
    }

    /// `x` with `A x = b`.
    pub(crate) fn solve(&self, b: &[f64]) -> Vec<f64> {
        self.backward(&self.forward(b))
    }
}

/// Elements in the lower triangle of so many rows; where the next row begins.
pub(crate) const fn triangle(rows: usize) -> usize {
    rows * (rows + 1) / 2
}

/// The inner product.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor(matrix: &[&[f64]]) -> Option<Factor> {
        Factor::of(matrix.len(), |i, j| matrix[i][j])
    }

    /// Scenario: a two-by-two system solved by hand: 4x + 2y = 10, 2x + 3y = 11.
    /// Guarantees: x = 1, y = 3, and the factor is that of the textbook.
    #[test]
    fn a_small_system_is_solved_exactly() {
        let found = factor(&[&[4.0, 2.0], &[2.0, 3.0]]).unwrap();
        assert_eq!(found.lower, [2.0, 1.0, 2.0_f64.sqrt()]);
        let x = found.solve(&[10.0, 11.0]);
        assert!((x[0] - 1.0).abs() < 1e-12 && (x[1] - 3.0).abs() < 1e-12, "{x:?}");
    }

    /// Scenario: matrices that are singular, indefinite, not finite, or too large.
    /// Guarantees: none of them is factorised.
    #[test]
    fn what_is_not_positive_definite_is_refused() {
        assert_eq!(factor(&[&[1.0, 1.0], &[1.0, 1.0]]), None);
        assert_eq!(factor(&[&[-1.0]]), None);
        assert_eq!(factor(&[&[f64::NAN]]), None);
        assert_eq!(factor(&[&[f64::INFINITY]]), None);
        assert_eq!(Factor::of(ROWS_MAX + 1, |i, j| if i == j { 1.0 } else { 0.0 }), None);
    }
}
