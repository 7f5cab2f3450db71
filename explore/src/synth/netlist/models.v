// Cells of the ECP5 that Yosys 0.23 has no model of, as far as its mapping uses them: no registers, no cascades, no resets.

// 18 x 18 bits, each side signed or not; the product of both widths.
module MULT18X18D(
    input A0, A1, A2, A3, A4, A5, A6, A7, A8, A9, A10, A11, A12, A13, A14, A15, A16, A17,
    input B0, B1, B2, B3, B4, B5, B6, B7, B8, B9, B10, B11, B12, B13, B14, B15, B16, B17,
    input C0, C1, C2, C3, C4, C5, C6, C7, C8, C9, C10, C11, C12, C13, C14, C15, C16, C17,
    input SIGNEDA, SIGNEDB, SOURCEA, SOURCEB,
    output P0, P1, P2, P3, P4, P5, P6, P7, P8, P9, P10, P11, P12, P13, P14, P15, P16, P17,
    output P18, P19, P20, P21, P22, P23, P24, P25, P26, P27, P28, P29, P30, P31, P32, P33, P34, P35
);
    wire signed [18:0] a = {SIGNEDA & A17, A17, A16, A15, A14, A13, A12, A11, A10, A9, A8, A7, A6, A5, A4, A3, A2, A1, A0};
    wire signed [18:0] b = {SIGNEDB & B17, B17, B16, B15, B14, B13, B12, B11, B10, B9, B8, B7, B6, B5, B4, B3, B2, B1, B0};
    wire signed [37:0] p = a * b;
    assign {P35, P34, P33, P32, P31, P30, P29, P28, P27, P26, P25, P24, P23, P22, P21, P20, P19, P18} = p[35:18];
    assign {P17, P16, P15, P14, P13, P12, P11, P10, P9, P8, P7, P6, P5, P4, P3, P2, P1, P0} = p[17:0];
endmodule

// 2048 words of 9 bits, written at port A, read at port B; each port sees one, two or four words at once, or 1, 2 or 4 bits of
// one. Wide ports have a byte enable a word in the low bits of the address. A read sees what was there before.
module DP16KD #(parameter DATA_WIDTH_A = 18, parameter DATA_WIDTH_B = 18) (
    input DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3, DIA2, DIA1, DIA0,
    input ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0,
    input CEA, OCEA, CLKA, WEA, RSTA, CSA2, CSA1, CSA0,
    output DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0,
    input DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3, DIB2, DIB1, DIB0,
    input ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0,
    input CEB, OCEB, CLKB, WEB, RSTB, CSB2, CSB1, CSB0,
    output DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0
);
    reg [8:0] words [0:2047];
    wire [13:0] address_a = {ADA13, ADA12, ADA11, ADA10, ADA9, ADA8, ADA7, ADA6, ADA5, ADA4, ADA3, ADA2, ADA1, ADA0};
    wire [13:0] address_b = {ADB13, ADB12, ADB11, ADB10, ADB9, ADB8, ADB7, ADB6, ADB5, ADB4, ADB3, ADB2, ADB1, ADB0};
    wire [35:0] data = {DIB17, DIB16, DIB15, DIB14, DIB13, DIB12, DIB11, DIB10, DIB9, DIB8, DIB7, DIB6, DIB5, DIB4, DIB3,
        DIB2, DIB1, DIB0, DIA17, DIA16, DIA15, DIA14, DIA13, DIA12, DIA11, DIA10, DIA9, DIA8, DIA7, DIA6, DIA5, DIA4, DIA3,
        DIA2, DIA1, DIA0};
    wire [10:0] word_a = address_a[13:3];
    wire [10:0] word_b = address_b[13:3];
    reg [35:0] read;
    integer i;
    always @(posedge CLKA) if (CEA & WEA) begin
        if (DATA_WIDTH_A == 36) begin
            for (i = 0; i < 4; i = i + 1)
                if (address_a[i]) words[{word_a[10:2], 2'b0} + i] <= data[9 * i +: 9];
        end else if (DATA_WIDTH_A == 18) begin
            for (i = 0; i < 2; i = i + 1)
                if (address_a[i]) words[{word_a[10:1], 1'b0} + i] <= data[9 * i +: 9];
        end else if (DATA_WIDTH_A == 9) words[word_a] <= data[8:0];
        else if (DATA_WIDTH_A == 4) words[word_a][4 * address_a[2] +: 4] <= data[3:0];
        else if (DATA_WIDTH_A == 2) words[word_a][2 * address_a[2:1] +: 2] <= data[1:0];
        else words[word_a][address_a[2:0]] <= data[0];
    end
    always @(posedge CLKB) if (CEB & ~WEB) begin
        if (DATA_WIDTH_B == 36) begin
            for (i = 0; i < 4; i = i + 1) read[9 * i +: 9] <= words[{word_b[10:2], 2'b0} + i];
        end else if (DATA_WIDTH_B == 18) begin
            for (i = 0; i < 2; i = i + 1) read[9 * i +: 9] <= words[{word_b[10:1], 1'b0} + i];
        end else if (DATA_WIDTH_B == 9) read[8:0] <= words[word_b];
        else if (DATA_WIDTH_B == 4) read[3:0] <= words[word_b][4 * address_b[2] +: 4];
        else if (DATA_WIDTH_B == 2) read[1:0] <= words[word_b][2 * address_b[2:1] +: 2];
        else read[0] <= words[word_b][address_b[2:0]];
    end
    assign {DOA17, DOA16, DOA15, DOA14, DOA13, DOA12, DOA11, DOA10, DOA9, DOA8, DOA7, DOA6, DOA5, DOA4, DOA3, DOA2, DOA1, DOA0} =
        DATA_WIDTH_B == 36 ? read[17:0] : 18'bx;
    assign {DOB17, DOB16, DOB15, DOB14, DOB13, DOB12, DOB11, DOB10, DOB9, DOB8, DOB7, DOB6, DOB5, DOB4, DOB3, DOB2, DOB1, DOB0} =
        DATA_WIDTH_B == 36 ? read[35:18] : read[17:0];
endmodule
