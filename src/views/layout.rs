//! Where things are: a pure function of the screen's size, used for drawing and for the mouse alike.
//!
//! ```text
//! status bar
//! tab line                      (left out below 8 rows)
//! ┌ title ───────────────────┐
//! │ inner                    │  body: title row and inner
//! └ keys ────────────────────┘  footer
//! ```

use ratatui::layout::Rect;

/// Least size at which anything but a word of regret is drawn.
pub const WIDTH_MIN: u16 = 20;
/// See [`WIDTH_MIN`].
pub const HEIGHT_MIN: u16 = 5;
/// From this width on a pane may show list and detail side by side.
pub const WIDE: u16 = 140;

/// The parts of the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Screen {
    /// Top row.
    pub status: Rect,
    /// The panes' names; of height 0 on a low screen.
    pub tabs: Rect,
    /// Title row and everything under it down to the footer.
    pub body: Rect,
    /// The body without title row and sides.
    pub inner: Rect,
    /// Last row: keys, filter line or notice.
    pub footer: Rect,
}

/// Divides the screen; `None` where it is too small.
#[must_use]
pub fn screen(area: Rect) -> Option<Screen> {
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        return None;
    }
    let tabs_height = u16::from(area.height >= 8);
    let row = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    let body = row(1 + tabs_height, area.height - 2 - tabs_height);
    let inner = Rect { x: body.x + 1, y: body.y + 1, width: body.width - 2, height: body.height - 1 };
    Some(Screen { status: row(0, 1), tabs: row(1, tabs_height), body, inner, footer: row(area.height - 1, 1) })
}

/// Divides an area from the top: `height` rows (at most all of it), and the rest.
#[must_use]
pub fn split_top(area: Rect, height: u16) -> (Rect, Rect) {
    let height = height.min(area.height);
    (Rect { height, ..area }, Rect { y: area.y + height, height: area.height - height, ..area })
}

/// List and detail side by side with a column between them, on a screen wide enough; else all is list.
#[must_use]
pub fn split_wide(area: Rect, is_wide: bool, detail_percent: u16) -> (Rect, Option<Rect>) {
    if !is_wide {
        return (area, None);
    }
    let detail_width = u16::try_from(u32::from(area.width) * u32::from(detail_percent.min(100)) / 100).unwrap_or(0);
    let list_width = area.width - detail_width;
    let detail = Rect { x: area.x + list_width + 1, width: detail_width.saturating_sub(1), ..area };
    (Rect { width: list_width, ..area }, Some(detail))
}

/// A box of at most this size in the middle of `area`.
#[must_use]
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}

/// An area without its outermost cells.
#[must_use]
pub fn inside(area: Rect) -> Rect {
    Rect {
        x: area.x + area.width.min(1),
        y: area.y + area.height.min(1),
        width: area.width.saturating_sub(2),
        height: area.height.saturating_sub(2),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn eighty_by_twenty_four_has_twenty_rows_inside() {
        let screen = screen(Rect::new(0, 0, 80, 24)).unwrap();
        assert_eq!(screen.inner, Rect::new(1, 3, 78, 20));
        assert_eq!(screen.footer, Rect::new(0, 23, 80, 1));
    }

    proptest! {
        #[test]
        fn parts_never_overlap_or_leave_the_screen(width in 0_u16..=400, height in 0_u16..=100, percent in 0_u16..=120) {
            let area = Rect::new(0, 0, width, height);
            if let Some(screen) = screen(area) {
                let parts = [screen.status, screen.tabs, screen.body, screen.footer];
                for part in parts.iter().chain([&screen.inner]) {
                    prop_assert_eq!(part.intersection(area), *part);
                }
                prop_assert_eq!(screen.inner.intersection(screen.body), screen.inner);
                let rows: u16 = parts.iter().map(|part| part.height).sum();
                prop_assert_eq!(rows, height, "every row has one owner");
            }
            let (list, detail) = split_wide(area, true, percent);
            let detail = detail.unwrap();
            prop_assert!(list.right() <= detail.x && (detail.width == 0 || detail.right() <= area.right()));
            let middle = centred(area, 60, 20);
            prop_assert_eq!(middle.intersection(area), middle);
            prop_assert!(inside(middle).width <= middle.width);
        }
    }
}
