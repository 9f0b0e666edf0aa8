//! An SVG under construction.

pub(crate) struct Svg {
    text: String,
}

impl Svg {
    pub(crate) fn new(width: f64, height: f64, title: &str, style: &str) -> Self {
        let mut svg = Svg { text: String::new() };
        svg.line(&format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
             width=\"{width}\" height=\"{height}\" role=\"img\">"
        ));
        svg.line(&format!("<title>{}</title>", escaped(title)));
        svg.line(&format!("<style>\n{style}\n</style>"));
        svg.line("<rect class=\"ground\" width=\"100%\" height=\"100%\" rx=\"8\"/>");
        svg
    }

    pub(crate) fn finish(mut self) -> String {
        self.line("</svg>");
        self.text
    }

    pub(crate) fn text(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let text = escaped(text);
        self.line(&format!("<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\">{text}</text>"));
    }

    pub(crate) fn line(&mut self, line: &str) {
        self.text += line;
        self.text.push('\n');
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
